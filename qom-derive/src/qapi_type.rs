//! `#[derive(QapiType)]`: a type's description for `query-qmp-schema`, from the same attributes that serde reads.
//!
//! What serde would do and this cannot tell is a compile error, so that the schema never says otherwise than the wire.

use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DataEnum, DeriveInput, Expr, ExprLit, Field, Fields, Lit, Meta, Token, Type, Variant,
};

/// How serde makes names of identifiers.
#[derive(Clone, Copy, PartialEq)]
enum Case {
    Kebab,
    Snake,
    Lower,
}

/// `#[serde(…)]` on the type.
#[derive(Default)]
struct ContainerAttributes {
    rename_all: Option<Case>,
    tag: Option<String>,
    content: Option<String>,
    untagged: bool,
    transparent: bool,
    default: bool,
}

/// `#[serde(…)]` on a field or variant.
#[derive(Default)]
struct MemberAttributes {
    rename: Option<String>,
    default: bool,
    flatten: bool,
    skip: bool,
    /// `#[qapi(as = Type)]`: what stands on the wire where functions of its own read or write the field.
    wire: Option<Type>,
}

fn text(value: &Expr) -> syn::Result<String> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text.value()),
        other => Err(syn::Error::new(other.span(), "expected a string")),
    }
}

/// All `#[serde(…)]` metas.
fn serde_metas(attributes: &[Attribute]) -> syn::Result<Vec<Meta>> {
    let mut metas = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        metas.extend(attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)?);
    }
    Ok(metas)
}

fn unknown(meta: &Meta) -> syn::Error {
    syn::Error::new(meta.span(), "QapiType does not know this serde attribute: implement the trait by hand")
}

fn container(attributes: &[Attribute]) -> syn::Result<ContainerAttributes> {
    let mut found = ContainerAttributes::default();
    for meta in serde_metas(attributes)? {
        match &meta {
            Meta::NameValue(pair) if pair.path.is_ident("rename_all") => {
                found.rename_all = Some(match text(&pair.value)?.as_str() {
                    "kebab-case" => Case::Kebab,
                    "snake_case" => Case::Snake,
                    "lowercase" => Case::Lower,
                    _ => {
                        return Err(syn::Error::new(
                            pair.value.span(),
                            "QAPI names are kebab-case or snake_case",
                        ));
                    }
                });
            }
            Meta::NameValue(pair) if pair.path.is_ident("tag") => found.tag = Some(text(&pair.value)?),
            Meta::NameValue(pair) if pair.path.is_ident("content") => {
                found.content = Some(text(&pair.value)?);
            }
            Meta::Path(path) if path.is_ident("untagged") => found.untagged = true,
            Meta::Path(path) if path.is_ident("transparent") => found.transparent = true,
            Meta::Path(path) if path.is_ident("default") => found.default = true,
            Meta::Path(path) if path.is_ident("deny_unknown_fields") => {}
            Meta::NameValue(pair) if pair.path.is_ident("crate") => {}
            other => return Err(unknown(other)),
        }
    }
    Ok(found)
}

fn member(attributes: &[Attribute]) -> syn::Result<MemberAttributes> {
    let mut found = MemberAttributes::default();
    let mut by_function = None;
    for meta in serde_metas(attributes)? {
        match &meta {
            Meta::NameValue(pair) if pair.path.is_ident("rename") => found.rename = Some(text(&pair.value)?),
            Meta::Path(path) if path.is_ident("default") => found.default = true,
            Meta::NameValue(pair) if pair.path.is_ident("default") => found.default = true,
            Meta::NameValue(pair) if pair.path.is_ident("skip_serializing_if") => found.default = true,
            Meta::Path(path) if path.is_ident("flatten") => found.flatten = true,
            Meta::Path(path) if path.is_ident("skip") => found.skip = true,
            Meta::NameValue(pair)
                if ["with", "serialize_with", "deserialize_with"]
                    .iter()
                    .any(|name| pair.path.is_ident(name)) =>
            {
                by_function = Some(meta.span());
            }
            other => return Err(unknown(other)),
        }
    }
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("qapi")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("as") {
                found.wire = Some(meta.value()?.parse()?);
                return Ok(());
            }
            Err(meta.error("expected `as = Type`"))
        })?;
    }
    match by_function {
        Some(span) if found.wire.is_none() => {
            Err(syn::Error::new(span, "say by #[qapi(as = Type)] what stands on the wire"))
        }
        _ => Ok(found),
    }
}

fn cased(ident: &syn::Ident, case: Option<Case>, is_variant: bool) -> String {
    let name = syn::ext::IdentExt::unraw(ident).to_string();
    let words = if is_variant {
        let mut words = String::new();
        for (index, letter) in name.char_indices() {
            if letter.is_uppercase() && index > 0 {
                words.push('_');
            }
            words.extend(letter.to_lowercase());
        }
        words
    } else {
        name.clone()
    };
    match case {
        None => name,
        Some(Case::Snake) => words,
        Some(Case::Kebab) => words.replace('_', "-"),
        Some(Case::Lower) => name.to_lowercase(),
    }
}

/// The text of documentation comments, each line without the space that follows the slashes.
fn documentation(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => text(&pair.value).ok(),
        _ => None,
    });
    lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Statements that add a struct's or variant's fields to `members`.
fn fields(
    fields: &Punctuated<Field, Token![,]>,
    case: Option<Case>,
    all_optional: bool,
) -> syn::Result<Vec<TokenStream>> {
    let mut statements = Vec::new();
    for field in fields {
        let attributes = member(&field.attrs)?;
        if attributes.skip {
            continue;
        }
        let Some(ident) = &field.ident else {
            return Err(syn::Error::new(field.span(), "QAPI members have names"));
        };
        let wire = attributes.wire.as_ref().unwrap_or(&field.ty);
        if attributes.flatten {
            statements.push(quote! { members.flatten::<#wire>(types); });
            continue;
        }
        let name = attributes.rename.unwrap_or_else(|| cased(ident, case, false));
        let optional = attributes.default || all_optional;
        let doc = documentation(&field.attrs);
        statements.push(quote! { members.add::<#wire>(types, #name, #optional, #doc); });
    }
    Ok(statements)
}

/// An object with these fields, as an expression of the type `Shape`.
fn object(statements: &[TokenStream]) -> TokenStream {
    quote! {{
        #[allow(unused_mut, reason = "there may be no members")]
        let mut members = ::qmp::schema::Members::default();
        #(#statements)*
        ::qmp::schema::Shape::Object(members)
    }}
}

/// What a variant holds beside its tag, as an expression of the type `TypeRef`; `place` names it among all types.
fn variant_content(
    variant: &Variant,
    content: Option<&str>,
    place: &TokenStream,
) -> syn::Result<TokenStream> {
    let held = match &variant.fields {
        Fields::Unit => return Ok(quote! { types.empty() }),
        Fields::Unnamed(unnamed) if unnamed.unnamed.len() == 1 => {
            let ty = &unnamed.unnamed[0].ty;
            quote! { <#ty as ::qmp::schema::QapiType>::describe(types) }
        }
        Fields::Unnamed(other) => return Err(syn::Error::new(other.span(), "a variant holds one thing")),
        Fields::Named(named) => {
            let doc = documentation(&variant.attrs);
            let object = object(&fields(&named.named, None, false)?);
            quote! { types.define(#place, #doc, |types| #object) }
        }
    };
    Ok(match content {
        None => held,
        Some(content) => quote! {{ let held = #held; types.wrapper(#content, held) }},
    })
}

fn enumeration(ident: &syn::Ident, data: &DataEnum, own: &ContainerAttributes) -> syn::Result<TokenStream> {
    let mut cases = Vec::new();
    for variant in &data.variants {
        let attributes = member(&variant.attrs)?;
        if !attributes.skip {
            let name = attributes.rename.unwrap_or_else(|| cased(&variant.ident, own.rename_all, true));
            cases.push((name, variant));
        }
    }
    let mut contents = Vec::new();
    for (name, variant) in &cases {
        let place = quote! { concat!(module_path!(), "::", stringify!(#ident), "::", #name) };
        contents.push(variant_content(variant, own.content.as_deref(), &place)?);
    }
    if own.untagged {
        return Ok(quote! {{ ::qmp::schema::Shape::Alternate(vec![#(#contents),*]) }});
    }
    let names: Vec<_> = cases.iter().map(|(name, _)| name).collect();
    let docs = cases.iter().map(|(_, variant)| documentation(&variant.attrs));
    let values = quote! { vec![#(::qmp::schema::EnumValue { name: #names.into(), doc: #docs }),*] };
    let Some(tag) = &own.tag else {
        if let Some((_, variant)) = cases.iter().find(|(_, variant)| !matches!(variant.fields, Fields::Unit))
        {
            return Err(syn::Error::new(variant.span(), "an enumeration that holds something needs a tag"));
        }
        return Ok(quote! {{ ::qmp::schema::Shape::Enum(#values) }});
    };
    Ok(quote! {{
        let place = concat!(module_path!(), "::", stringify!(#ident), "::", #tag);
        let kind = types.define(place, "", |_| ::qmp::schema::Shape::Enum(#values));
        let variants = vec![#((#names.into(), #contents)),*];
        ::qmp::schema::Shape::Object(::qmp::schema::Members::union(#tag, kind, variants))
    }})
}

/// Writes the implementation.
pub(super) fn expand(input: TokenStream) -> syn::Result<TokenStream> {
    let input: DeriveInput = syn::parse2(input)?;
    let own = container(&input.attrs)?;
    let doc = documentation(&input.attrs);
    let name = &input.ident;
    let (generics, type_generics, clause) = input.generics.split_for_impl();
    let body = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Unnamed(unnamed) if unnamed.unnamed.len() == 1 => {
                let attributes = member(&unnamed.unnamed[0].attrs)?;
                let ty = attributes.wire.as_ref().unwrap_or(&unnamed.unnamed[0].ty);
                Err(quote! { <#ty as ::qmp::schema::QapiType>::describe(types) })
            }
            Fields::Unnamed(other) => return Err(syn::Error::new(other.span(), "QAPI members have names")),
            Fields::Unit => Ok(object(&[])),
            Fields::Named(named) if own.transparent => {
                return Err(syn::Error::new(named.span(), "a transparent struct is a tuple here"));
            }
            Fields::Named(named) => Ok(object(&fields(&named.named, own.rename_all, own.default)?)),
        },
        Data::Enum(data) => Ok(enumeration(name, data, &own)?),
        Data::Union(data) => {
            return Err(syn::Error::new(data.union_token.span(), "a union has no wire form"));
        }
    };
    let body = match body {
        Ok(shape) => quote! {
            let place = concat!(module_path!(), "::", stringify!(#name));
            types.define(place, #doc, |types| #shape)
        },
        Err(other) => other,
    };
    Ok(quote! {
        impl #generics ::qmp::schema::QapiType for #name #type_generics #clause {
            fn describe(types: &mut ::qmp::schema::Types) -> ::qmp::schema::TypeRef {
                #body
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(input: TokenStream) -> String {
        expand(input).map_or_else(|error| format!("error: {error}"), |tokens| tokens.to_string())
    }

    #[test]
    fn names_are_serdes() {
        let tokens = expanded(quote! {
            #[serde(rename_all = "kebab-case")]
            struct CpuInfo { qom_path: String, #[serde(rename = "type")] kind: String, #[serde(default)] dies: Vec<u8> }
        });
        for part in ["\"qom-path\" , false", "\"type\" , false", "\"dies\" , true"] {
            assert!(tokens.contains(part), "{part} in {tokens}");
        }
        let tokens = expanded(quote! {
            #[serde(rename_all = "kebab-case")]
            enum State { InternalError, #[serde(rename = "in")] Inward }
        });
        assert!(tokens.contains("\"internal-error\"") && tokens.contains("\"in\""), "{tokens}");
    }

    #[test]
    fn what_serde_does_and_this_cannot_tell_is_refused() {
        for (input, text) in [
            (quote! { struct A { #[serde(alias = "b")] a: u8 } }, "does not know this serde attribute"),
            (quote! { struct A { #[serde(deserialize_with = "f")] a: u8 } }, "say by #[qapi(as = Type)]"),
            (quote! { enum A { B(u8) } }, "needs a tag"),
            (quote! { struct A(u8, u8); }, "members have names"),
            (quote! { #[serde(rename_all = "UPPERCASE")] enum A { B } }, "kebab-case"),
            (quote! { union A { b: u8 } }, "no wire form"),
        ] {
            let error = expanded(input);
            assert!(error.starts_with("error: ") && error.contains(text), "{error}");
        }
    }
}
