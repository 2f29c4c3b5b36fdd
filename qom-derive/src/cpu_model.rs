//! `#[derive(CpuModel)]`: from attributes to a CPU model's data.
//!
//! The grammar is in the crate's documentation. The macro writes calls of the builder `CpuModelDef`, so
//! what a name or a number means, and whether it exists, is said in one place; it looks only at the form.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Expr, ExprLit, Fields, Lit, LitInt, LitStr, Token};

const MODEL_KEYS: &str =
    "name, vendor, signature, levels, model_id, features, caches, deprecated, avx10 or cpuid_0x1f";
const VERSION_KEYS: &str = "alias, note, caches, on, off, model_id, family, model, stepping, level, xlevel, \
     min_level, min_xlevel, cpuid_0x1f or avx10";

/// `#[cpu_model(…)]`.
#[derive(Default)]
struct Model {
    name: Option<LitStr>,
    vendor: Option<Expr>,
    /// Builder calls after `new`.
    calls: Vec<TokenStream>,
    /// Every feature named by a literal.
    features: Vec<LitStr>,
    seen: Vec<String>,
}

/// `#[version(N, …)]`.
struct Version {
    number: u16,
    calls: Vec<TokenStream>,
    changes: Vec<TokenStream>,
}

pub(crate) fn expand(input: TokenStream) -> syn::Result<TokenStream> {
    let input: DeriveInput = syn::parse2(input)?;
    let ident = &input.ident;
    if !matches!(&input.data, Data::Struct(data) if matches!(data.fields, Fields::Unit)) {
        return Err(syn::Error::new(ident.span(), "a CPU model is a unit struct: `struct Name;`"));
    }
    if let Some(parameter) = input.generics.params.first() {
        return Err(syn::Error::new(parameter.span(), "a CPU model cannot be generic: a model has one name"));
    }
    let mut model = Model::default();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("cpu_model")) {
        attribute.parse_nested_meta(|meta| model_key(&mut model, &meta))?;
    }
    let missing = |what: &str| {
        syn::Error::new(ident.span(), format!("the model needs a {what}: #[cpu_model({what} = …)]"))
    };
    let name = model.name.as_ref().ok_or_else(|| missing("name"))?;
    let vendor = model.vendor.as_ref().ok_or_else(|| missing("vendor"))?;
    if name.value().is_empty() {
        return Err(syn::Error::new(name.span(), "the model's name is empty"));
    }
    let versions = versions(&input.attrs, &mut model.features)?;
    let calls = &model.calls;
    // Named once more on their own, so that a wrong name is reported at its place.
    let checks = model.features.iter().map(|name| {
        quote_spanned!(name.span()=> const _: ::target_i386::feature::Feature = ::target_i386::feature::feature(#name);)
    });
    Ok(quote! {
        impl ::target_i386::model::CpuModel for #ident {
            const DEF: ::target_i386::model::CpuModelDef =
                ::target_i386::model::CpuModelDef::new(#name, #vendor) #(#calls)* #versions;
        }

        const _: () = { #(#checks)* };

        ::target_i386::__submit_cpu_model!(#ident);
    })
}

fn model_key(model: &mut Model, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    let key = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
    if key != "features" {
        once(&mut model.seen, &key, meta)?;
    }
    match key.as_str() {
        "name" => model.name = Some(meta.value()?.parse()?),
        "vendor" => model.vendor = Some(meta.value()?.parse()?),
        "signature" => {
            let numbers = numbers(meta, 3, "signature(family, model, stepping)")?;
            model.calls.push(quote!(.signature(#numbers)));
        }
        "levels" => {
            let numbers = numbers(meta, 2, "levels(basic, extended)")?;
            model.calls.push(quote!(.levels(#numbers)));
        }
        "model_id" => {
            let id = brand(meta.value()?.parse()?)?;
            model.calls.push(quote!(.model_id(#id)));
        }
        "features" => {
            for group in groups(meta)? {
                match group {
                    Group::Names(names) => {
                        model.calls.push(quote!(.features(&[#(#names),*])));
                        model.features.extend(names);
                    }
                    Group::List(list) => model.calls.push(quote!(.features(#list))),
                }
            }
        }
        "caches" => {
            let caches: Expr = meta.value()?.parse()?;
            model.calls.push(quote!(.caches(#caches)));
        }
        "deprecated" => {
            let note: LitStr = meta.value()?.parse()?;
            model.calls.push(quote!(.deprecated(#note)));
        }
        "avx10" => {
            let version: LitInt = meta.value()?.parse()?;
            model.calls.push(quote!(.avx10(#version)));
        }
        "cpuid_0x1f" => model.calls.push(quote!(.cpuid_0x1f())),
        _ => return Err(meta.error(format!("unknown attribute; expected {MODEL_KEYS}"))),
    }
    Ok(())
}

fn versions(attributes: &[Attribute], features: &mut Vec<LitStr>) -> syn::Result<Option<TokenStream>> {
    let mut versions: Vec<Version> = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("version")) {
        let (version, span) = version(attribute, features)?;
        if versions.is_empty() && version.number == 2 {
            versions.push(Version { number: 1, calls: Vec::new(), changes: Vec::new() });
        }
        let expected = versions.len() + 1;
        if usize::from(version.number) != expected {
            return Err(syn::Error::new(
                span,
                format!("versions are numbered without gaps, in order: expected {expected} here"),
            ));
        }
        versions.push(version);
    }
    if versions.is_empty() {
        return Ok(None);
    }
    let versions = versions.iter().map(|Version { number, calls, changes }| {
        let changes = (!changes.is_empty()).then(|| quote!(.changes(const { &[#(#changes),*] })));
        quote!(::target_i386::model::ModelVersion::new(#number) #changes #(#calls)*)
    });
    Ok(Some(quote!(.versions(const { &[#(#versions),*] }))))
}

/// `version(N, key…)`: the number is no `key = value`, so the list is cut there.
fn version(attribute: &Attribute, features: &mut Vec<LitStr>) -> syn::Result<(Version, Span)> {
    attribute.parse_args_with(|input: syn::parse::ParseStream<'_>| {
        let number: LitInt = input.parse().map_err(|error| {
            syn::Error::new(error.span(), "a version starts with its number: #[version(2, …)]")
        })?;
        let mut version = Version { number: number.base10_parse()?, calls: Vec::new(), changes: Vec::new() };
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
        let mut seen = Vec::new();
        let keys = syn::meta::parser(|meta| version_key(&mut version, features, &mut seen, &meta));
        syn::parse::Parser::parse2(keys, input.parse()?)?;
        Ok((version, number.span()))
    })
}

fn version_key(
    version: &mut Version,
    features: &mut Vec<LitStr>,
    seen: &mut Vec<String>,
    meta: &ParseNestedMeta<'_>,
) -> syn::Result<()> {
    let key = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
    if !matches!(key.as_str(), "on" | "off") {
        once(seen, &key, meta)?;
    }
    let change = match key.as_str() {
        "alias" | "note" => {
            let text: LitStr = meta.value()?.parse()?;
            let method = &meta.path;
            version.calls.push(quote!(.#method(#text)));
            return Ok(());
        }
        "caches" => {
            let caches: Expr = meta.value()?.parse()?;
            version.calls.push(quote!(.caches(#caches)));
            return Ok(());
        }
        "on" | "off" => {
            let method = &meta.path;
            for group in groups(meta)? {
                let Group::Names(names) = group else {
                    return Err(meta.error(format!("a version names its features: {key}(\"…\", …)")));
                };
                version.changes.extend(names.iter().map(|name| quote!(::target_i386::model::#method(#name))));
                features.extend(names);
            }
            return Ok(());
        }
        "model_id" => {
            let id = brand(argument(meta)?)?;
            version.changes.push(quote!(::target_i386::model::model_id(#id)));
            return Ok(());
        }
        "family" => quote!(Family),
        "model" => quote!(Model),
        "stepping" => quote!(Stepping),
        "level" => quote!(Level),
        "xlevel" => quote!(Xlevel),
        "min_level" => quote!(MinLevel),
        "min_xlevel" => quote!(MinXlevel),
        "cpuid_0x1f" => quote!(ForceCpuid0x1f),
        "avx10" => quote!(Avx10Version),
        _ => return Err(meta.error(format!("unknown attribute of a version; expected {VERSION_KEYS}"))),
    };
    let value: Lit = argument(meta)?;
    version.changes.push(quote!(::target_i386::model::Change::#change(#value)));
    Ok(())
}

fn once(seen: &mut Vec<String>, key: &str, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if seen.iter().any(|other| other == key) {
        return Err(meta.error(format!("`{key}` is given twice")));
    }
    seen.push(key.to_owned());
    Ok(())
}

/// `(value)`: a change of a version is written as a call, as two versions may well change the same thing in
/// the same way, and the compiler's lints take two `key = value` of one attribute for a mistake.
fn argument<T: syn::parse::Parse>(meta: &ParseNestedMeta<'_>) -> syn::Result<T> {
    let key = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
    if !meta.input.peek(syn::token::Paren) {
        return Err(meta.error(format!("a change of a version is written as `{key}(value)`")));
    }
    let content;
    syn::parenthesized!(content in meta.input);
    let value = content.parse()?;
    if content.is_empty() { Ok(value) } else { Err(content.error("expected one value")) }
}

/// `(n, n, …)` of an exact count.
fn numbers(
    meta: &ParseNestedMeta<'_>,
    count: usize,
    form: &str,
) -> syn::Result<Punctuated<LitInt, Token![,]>> {
    let content;
    syn::parenthesized!(content in meta.input);
    let numbers: Punctuated<LitInt, Token![,]> = Punctuated::parse_terminated(&content)?;
    if numbers.len() != count {
        return Err(meta.error(format!("expected {form}")));
    }
    Ok(numbers)
}

/// A brand string, or a constant that is one.
fn brand(id: Expr) -> syn::Result<Expr> {
    if let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &id
        && text.value().len() > 48
    {
        let length = text.value().len();
        return Err(syn::Error::new(
            text.span(),
            format!("a brand string has at most 48 bytes, this one has {length}"),
        ));
    }
    Ok(id)
}

/// Part of a list of features.
enum Group {
    /// Names that stand in a row.
    Names(Vec<LitStr>),
    /// A constant that is a list of names.
    List(Expr),
}

/// `("name", "name", CONST, …)`.
fn groups(meta: &ParseNestedMeta<'_>) -> syn::Result<Vec<Group>> {
    let content;
    syn::parenthesized!(content in meta.input);
    let mut groups = Vec::new();
    for expression in Punctuated::<Expr, Token![,]>::parse_terminated(&content)? {
        match expression {
            Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) => match groups.last_mut() {
                Some(Group::Names(names)) => names.push(name),
                _ => groups.push(Group::Names(vec![name])),
            },
            list @ (Expr::Path(_) | Expr::Reference(_)) => groups.push(Group::List(list)),
            other => {
                return Err(syn::Error::new(
                    other.span(),
                    "expected the name of a feature in quotes, or a constant that is a list of names",
                ));
            }
        }
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(input: TokenStream) -> String {
        // Token streams print with blanks that depend on the printer.
        expand(input).unwrap().to_string().replace(' ', "")
    }

    fn error_of(input: TokenStream) -> String {
        expand(input).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn attributes_become_builder_calls() {
        let text = text_of(quote! {
            #[cpu_model(name = "Haswell", vendor = Vendor::INTEL, signature(6, 60, 4), levels(0xd, 0x8000_0008))]
            #[cpu_model(model_id = "Core", features("avx", "aes", COMMON, "hle"), cpuid_0x1f)]
            #[version(2, alias = "Haswell-noTSX", off("hle", "rtm"), stepping(1), on("spec-ctrl"))]
            #[version(3, note = "new", model_id("Core 3"), min_xlevel(0x8000_001f))]
            struct Haswell;
        });
        for part in [
            "impl::target_i386::model::CpuModelforHaswell",
            "CpuModelDef::new(\"Haswell\",Vendor::INTEL).signature(6,60,4).levels(0xd,0x8000_0008).model_id(\"Core\")",
            ".features(&[\"avx\",\"aes\"]).features(COMMON).features(&[\"hle\"]).cpuid_0x1f()",
            "ModelVersion::new(1u16),",
            "ModelVersion::new(2u16).changes(const{&[::target_i386::model::off(\"hle\"),\
             ::target_i386::model::off(\"rtm\"),::target_i386::model::Change::Stepping(1),\
             ::target_i386::model::on(\"spec-ctrl\")]}).alias(\"Haswell-noTSX\")",
            "::target_i386::model::model_id(\"Core3\"),::target_i386::model::Change::MinXlevel(0x8000_001f)",
            ".note(\"new\")",
            "::target_i386::feature::feature(\"spec-ctrl\")",
            "::target_i386::__submit_cpu_model!(Haswell);",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }

    #[test]
    fn a_model_without_versions_has_none() {
        let text = text_of(quote! {
            #[cpu_model(name = "x", vendor = Vendor::AMD)]
            struct X;
        });
        assert!(!text.contains("versions"), "{text}");
    }

    #[test]
    fn mistakes_say_what_would_be_right() {
        let model = |attributes: TokenStream| {
            error_of(quote! {
                #[cpu_model(name = "x", vendor = V)]
                #attributes
                struct X;
            })
        };
        for (error, expected) in [
            (
                error_of(quote!(
                    #[cpu_model(vendor = V)]
                    struct X;
                )),
                "#[cpu_model(name = …)]",
            ),
            (
                error_of(quote!(
                    #[cpu_model(name = "x")]
                    struct X;
                )),
                "#[cpu_model(vendor = …)]",
            ),
            (
                error_of(quote!(
                    #[cpu_model(name = "", vendor = V)]
                    struct X;
                )),
                "name is empty",
            ),
            (
                error_of(quote!(
                    #[cpu_model(name = "x", vendor = V)]
                    struct X {
                        a: u8,
                    }
                )),
                "unit struct",
            ),
            (
                error_of(quote!(
                    #[cpu_model(name = "x", vendor = V)]
                    enum X {}
                )),
                "unit struct",
            ),
            (
                error_of(quote!(
                    #[cpu_model(name = "x", vendor = V)]
                    struct X<T>;
                )),
                "cannot be generic",
            ),
            (model(quote!(#[cpu_model(colour = 3)])), "expected name, vendor"),
            (model(quote!(#[cpu_model(name = "y")])), "`name` is given twice"),
            (model(quote!(#[cpu_model(signature(6, 60))])), "signature(family, model, stepping)"),
            (model(quote!(#[cpu_model(levels(1))])), "levels(basic, extended)"),
            (model(quote!(#[cpu_model(features(3))])), "in quotes"),
            (
                model(quote!(#[cpu_model(model_id = "0123456789012345678901234567890123456789012345678")])),
                "at most 48 bytes, this one has 49",
            ),
            (model(quote!(#[version(3)])), "expected 1 here"),
            (model(quote!(#[version(2)] #[version(4)])), "expected 3 here"),
            (model(quote!(#[version(alias = "y")])), "#[version(2, …)]"),
            (model(quote!(#[version(2, colour = 3)])), "expected alias, note"),
            (model(quote!(#[version(2, stepping = 1)])), "written as `stepping(value)`"),
            (model(quote!(#[version(2, stepping(1, 2))])), "expected one value"),
            (model(quote!(#[version(2, on(LIST))])), "on(\"…\", …)"),
            (model(quote!(#[version(2, stepping(1), stepping(2))])), "`stepping` is given twice"),
        ] {
            assert!(error.contains(expected), "{error:?} does not say {expected:?}");
        }
    }
}
