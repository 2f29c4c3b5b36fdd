//! A property's declaration, written from its attributes.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Field, Ident, LitStr, Type};

use super::attributes::PropertyAttributes;

/// The call that declares a property in a class init.
pub(super) fn tokens(
    owner: &Ident,
    field: &Field,
    ident: &Ident,
    attributes: &PropertyAttributes,
) -> syn::Result<TokenStream> {
    let name = attributes
        .name
        .clone()
        .unwrap_or_else(|| LitStr::new(&ident.to_string().replace('_', "-"), ident.span()));
    let declared = if let Some(target) = &attributes.link {
        link(owner, ident, &name, target, attributes)
    } else if let Some(bit) = &attributes.bit {
        let word = inner_type(&field.ty)?;
        let read_only = (!attributes.set).then(|| quote!(.read_only()));
        let default = attributes.default.as_ref().map(|on| quote!(.default({ let on: bool = #on; on })));
        quote!(::qom::Property::bit::<#owner, #word>(#name, |this| &this.#ident, #bit) #read_only #default)
    } else {
        value(owner, ident, &name, inner_type(&field.ty)?, attributes)
    };
    // Bits share their field, so its doc comment is no bit's.
    let doc = if attributes.bit.is_some() { None } else { doc_line(&field.attrs) };
    let description = attributes.description.clone().or(doc);
    let description = description.map(|text| quote!(.description(#text)));
    let deprecated = attributes.deprecated.as_ref().map(|reason| quote!(.deprecated(#reason)));
    let internal = attributes.internal.then(|| quote!(.internal()));
    let after = attributes.settable_after_realize.then(|| quote!(.settable_after_realize()));
    Ok(quote!(class.add_property(#declared #description #deprecated #internal #after);))
}

fn link(
    owner: &Ident,
    ident: &Ident,
    name: &LitStr,
    target: &LitStr,
    attributes: &PropertyAttributes,
) -> TokenStream {
    let read_only = (!attributes.set).then(|| quote!(.read_only()));
    match &attributes.check {
        Some(check) => {
            quote!(::qom::Property::checked_link::<#owner>(#name, #target, |this| &this.#ident, #check) #read_only)
        }
        None => quote!(::qom::Property::link::<#owner>(#name, #target, |this| &this.#ident) #read_only),
    }
}

fn value(
    owner: &Ident,
    ident: &Ident,
    name: &LitStr,
    ty: &Type,
    attributes: &PropertyAttributes,
) -> TokenStream {
    let default = attributes.default.as_ref().map(
        |default| quote!(.default({ let value: #ty = #default; ::qom::PropertyValue::to_value(&value) })),
    );
    let range = (attributes.minimum.is_some() || attributes.maximum.is_some()).then(|| {
        let limit = |limit: &Option<Expr>, without: TokenStream| match limit {
            Some(limit) => quote_spanned!(limit.span()=> &#limit),
            None => quote!(&<#ty as ::qom::Number>::#without),
        };
        let least = limit(&attributes.minimum, quote!(LEAST));
        let most = limit(&attributes.maximum, quote!(MOST));
        quote!(::qom::check_range::<#ty>(this, #name, &value, #least, #most)?;)
    });
    let check = attributes.check.as_ref().map(|check| quote!(#check(this, &value)?;));
    let set = attributes.set.then(|| {
        quote! {
            .settable::<#owner, #ty>(|this, value| {
                #range
                #check
                this.#ident.set(value);
                ::core::result::Result::Ok(())
            })
        }
    });
    let get = if attributes.get {
        quote!(::qom::Property::of::<#owner, #ty>(#name, |this| this.#ident.get()))
    } else {
        quote!(::qom::Property::typed::<#ty>(#name))
    };
    quote!(#get #set #default)
}

/// The `T` of `Field<T>`.
fn inner_type(ty: &Type) -> syn::Result<&Type> {
    let mismatch = || {
        syn::Error::new(ty.span(), "a property's field is a `Field<T>`, or a `Link` with `link = \"type\"`")
    };
    let Type::Path(path) = ty else { return Err(mismatch()) };
    let last = path.path.segments.last().ok_or_else(mismatch)?;
    if last.ident != "Field" {
        return Err(mismatch());
    }
    match &last.arguments {
        syn::PathArguments::AngleBracketed(arguments) => match arguments.args.first() {
            Some(syn::GenericArgument::Type(inner)) => Ok(inner),
            _ => Err(mismatch()),
        },
        _ => Err(mismatch()),
    }
}

/// The first line of the doc comment, without its full stop.
fn doc_line(attributes: &[Attribute]) -> Option<LitStr> {
    attributes.iter().filter(|attribute| attribute.path().is_ident(&format_ident!("doc"))).find_map(
        |attribute| {
            let value = &attribute.meta.require_name_value().ok()?.value;
            let Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = value else { return None };
            let line = text.value();
            let line = line.trim().trim_end_matches('.');
            (!line.is_empty()).then(|| LitStr::new(line, text.span()))
        },
    )
}
