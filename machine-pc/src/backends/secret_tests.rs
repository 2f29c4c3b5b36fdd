//! Decoding and decrypting, against vectors that other programs made.

use proptest::prelude::*;

use super::*;

/// Bytes 0 to 31 and 0 to 15.
fn key_and_iv() -> ([u8; KEY_BYTES], [u8; BLOCK_BYTES]) {
    (std::array::from_fn(|at| at as u8), std::array::from_fn(|at| at as u8))
}

fn clear(cipher: &str) -> Result<Vec<u8>, SecretError> {
    let (key, iv) = key_and_iv();
    decrypt(decode_base64(cipher.as_bytes())?, &key, &iv).map(|clear| clear.to_vec())
}

/// Made with `openssl enc -aes-256-cbc -K 000102…1f -iv 000102…0f`, with `-nopad` where the padding is not PKCS #7's.
#[test]
fn openssls_cipher_texts_are_decrypted() {
    assert_eq!(clear("f9Etr7fpWZ0LhJrYwuPCHw=="), Ok(b"hello".to_vec()));
    assert_eq!(clear("6cPvirI0U+bwdJzWNueojg=="), Ok(Vec::new()));
    assert_eq!(clear("MDnyq7PuS75E5JsZawOzKg=="), Ok(vec![0xff, 0xfe]));
    // As in the reference, only the last byte of the padding is looked at, and 0 is none.
    assert_eq!(clear("ykmviWZPoGCBFJs1rcByIw=="), Ok(b"xxxxxxxxxxxxxx".to_vec()));
    assert_eq!(clear("nn2Irl9AwqS79PhX6n6HfQ=="), Ok(b"xxxxxxxxxxxxxxx\0".to_vec()));
    assert_eq!(clear("pE+iaiWyCJdrDMsi6S4HXQ=="), Err(SecretError::Padding(17)));
    assert_eq!(clear("MTIz"), Err(SecretError::CipherLength(3)));
    assert_eq!(clear(""), Ok(Vec::new()));
}

/// NIST SP 800-38A, F.2.6, the first two blocks.
#[test]
fn the_standards_cipher_text_is_decrypted() {
    let bytes = |hex: &str| -> Vec<u8> {
        hex.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    };
    let key = bytes("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
    let key: [u8; KEY_BYTES] = key.try_into().unwrap();
    let iv = bytes("000102030405060708090a0b0c0d0e0f");
    let cipher = bytes("f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d");
    let expected = bytes("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
    // The clear text ends in 51h, which is no padding; so the block after it is needed, and it is taken by hand.
    assert_eq!(decrypt(Zeroizing::new(cipher.clone()), &key, &iv), Err(SecretError::Padding(0x51)));
    let mut blocks = cipher;
    let cipher = cbc::Decryptor::<Aes256>::new_from_slices(&key, &iv).unwrap();
    assert_eq!(cipher.decrypt_padded::<NoPadding>(&mut blocks).unwrap(), expected);
}

/// RFC 4648, section 10; then what QEMU 11.1.2 takes besides.
#[test]
fn base64_is_read() {
    let read =
        |text: &str| decode_base64(text.as_bytes()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    for (text, expected) in [
        ("", ""),
        ("Zg==", "f"),
        ("Zm8=", "fo"),
        ("Zm9v", "foo"),
        ("Zm9vYg==", "foob"),
        ("Zm9vYmE=", "fooba"),
        ("Zm9vYmFy", "foobar"),
        ("Zg", "f"),
        ("Zm8", "fo"),
        ("Zm9=", "fo"),
        ("Zm9v\nYmFy\n", "foobar"),
    ] {
        assert_eq!(read(text), Ok(expected.to_owned()), "{text:?}");
    }
    for text in ["Zg$=", "Zm9v YmFy", "Zm9v-_==", "Zm9v\r\n", "é"] {
        assert_eq!(read(text), Err(SecretError::Base64Characters), "{text:?}");
    }
    assert_eq!(read("Zg\0="), Err(SecretError::Base64Nul));
    for text in ["Z", "Z===", "====", "Zm=9v", "Zg==Zg==", "Zm9vYg==="] {
        assert_eq!(read(text), Err(SecretError::Base64Form), "{text:?}");
    }
}

#[test]
fn a_file_larger_than_any_secret_is_refused() {
    let error = read_file("/dev/zero".to_owned()).unwrap_err();
    assert_eq!(error, SecretError::TooLarge { path: "/dev/zero".to_owned() });
}

proptest! {
    #[test]
    fn bytes_survive_base64(bytes: Vec<u8>) {
        prop_assert_eq!(decode_base64(BASE64.encode(&bytes).as_bytes()).map(|read| read.to_vec()), Ok(bytes));
    }

    #[test]
    fn any_text_is_answered(text in "[A-Za-z0-9+/=\n]{0,24}|.*", iv: [u8; BLOCK_BYTES]) {
        if let Ok(bytes) = decode_base64(text.as_bytes()) {
            let length = bytes.len();
            match decrypt(bytes, &key_and_iv().0, &iv) {
                Ok(clear) => prop_assert!(clear.len() <= length && length % BLOCK_BYTES == 0),
                Err(SecretError::CipherLength(told)) => prop_assert_eq!(told, length),
                Err(error) => prop_assert!(matches!(error, SecretError::Padding(17..)), "{}", error),
            }
        }
    }
}
