//! `#[derive(Object)]`: from a struct to its `TypeInfo`.
//!
//! [`attributes`] reads what is written on the struct and its fields and refuses what makes no sense; [`property`] writes a
//! property's declaration. Nothing here knows what a property does.

mod attributes;
mod property;

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Fields, Ident, Type};

use attributes::{PropertyAttributes, TypeAttributes, field_default, property_attributes, type_attributes};

pub(crate) fn expand(input: TokenStream) -> syn::Result<TokenStream> {
    let input: DeriveInput = syn::parse2(input)?;
    let attributes = type_attributes(&input)?;
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => &fields.named,
            other => {
                return Err(syn::Error::new(
                    other.span(),
                    "a QOM type is a struct with named fields, the first of them `parent: ParentType`",
                ));
            }
        },
        _ => return Err(syn::Error::new(input.ident.span(), "only a struct can be the state of a QOM type")),
    };
    if let Some(parameter) = input.generics.params.first() {
        return Err(syn::Error::new(parameter.span(), "a QOM type cannot be generic: a type has one name"));
    }
    let parent = fields.iter().find(|field| field.ident.as_ref().is_some_and(|ident| ident == "parent")).ok_or_else(|| {
        syn::Error::new(
            input.ident.span(),
            "the parent type's struct must be embedded as the field `parent` (`parent: ObjectCore` at the least)",
        )
    })?;

    let mut initializers = Vec::new();
    let mut properties = Vec::new();
    for field in fields {
        let ident = field.ident.as_ref().ok_or_else(|| syn::Error::new(field.span(), "unnamed field"))?;
        if ident == "parent" {
            continue;
        }
        let declared = property_attributes(field)?;
        let default = initial_value(field, &declared)?;
        initializers.push(quote!(#ident: #default));
        for attributes in &declared {
            properties.push(property::tokens(&input.ident, field, ident, attributes)?);
        }
    }
    Ok(type_tokens(&input.ident, &attributes, &parent.ty, &initializers, &properties))
}

/// What a field starts with: its `#[object(default = …)]`, else its properties' defaults.
fn initial_value(field: &syn::Field, declared: &[PropertyAttributes]) -> syn::Result<TokenStream> {
    let ty = &field.ty;
    let mut of_properties =
        declared.iter().filter_map(|property| Some((property, property.default.as_ref()?)));
    if let Some(default) = field_default(field)? {
        return match of_properties.next() {
            Some((_, other)) => Err(syn::Error::new(
                other.span(),
                format!("the default is given twice; the other one is `{}`", quote!(#default)),
            )),
            None => Ok(quote!(#default)),
        };
    }
    if declared.iter().any(|property| property.bit.is_some()) {
        let bits = of_properties.filter_map(|(property, default)| Some((property.bit.as_ref()?, default)));
        let bits = bits.map(|(bit, default)| quote!(let word = ::qom::Word::with_bit(word, #bit, #default);));
        return Ok(quote!({ let word = ::core::default::Default::default(); #(#bits)* <#ty>::new(word) }));
    }
    Ok(match of_properties.next() {
        Some((_, default)) => quote!(<#ty>::new(#default)),
        None => quote!(::core::default::Default::default()),
    })
}

fn type_tokens(
    ident: &Ident,
    attributes: &TypeAttributes,
    parent: &Type,
    initializers: &[TokenStream],
    properties: &[TokenStream],
) -> TokenStream {
    let TypeAttributes { name, interfaces, class_init, instance_init, instance_post_init, .. } = attributes;
    let set_abstract = attributes.is_abstract.then(|| quote!(.set_abstract()));
    let interfaces =
        interfaces.iter().map(|interface| quote!(.implement(::qom::interface!(#ident: #interface))));
    let properties = (!properties.is_empty())
        .then(|| quote!(.class_init(|class: &mut ::qom::ClassInit<'_>| { #(#properties)* })));
    let class_init = class_init.as_ref().map(|path| quote!(.class_init(#path)));
    let instance_init = instance_init.as_ref().map(|path| quote!(.instance_init(#path)));
    let post_init = instance_post_init.as_ref().map(|path| quote!(.instance_post_init(#path)));
    quote! {
        impl ::qom::Object for #ident {
            fn core(&self) -> &::qom::ObjectCore {
                ::qom::Object::core(&self.parent)
            }

            fn embedded(&self, id: ::core::any::TypeId) -> ::core::option::Option<&dyn ::core::any::Any> {
                if id == ::core::any::TypeId::of::<Self>() {
                    ::core::option::Option::Some(self)
                } else {
                    ::qom::Object::embedded(&self.parent, id)
                }
            }
        }

        impl ::qom::Instance for #ident {
            const TYPE_NAME: &'static str = #name;

            fn construct(core: ::qom::ObjectCore) -> Self {
                Self { parent: <#parent as ::qom::Instance>::construct(core), #(#initializers,)* }
            }

            fn type_info() -> ::qom::TypeInfo {
                ::qom::TypeInfo::new(#name, <#parent as ::qom::Instance>::TYPE_NAME, ::qom::site!())
                    .construct(|seed| seed.finish::<#ident>())
                    #set_abstract
                    #(#interfaces)*
                    #properties
                    #class_init
                    #instance_init
                    #post_init
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(input: TokenStream) -> String {
        expand(input).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_struct_becomes_a_type() {
        let tokens = expand(quote! {
            #[object(name = "lamp", abstract)]
            struct Lamp { parent: Device, #[property(get, set, default = 3)] bright_ness: Field<u8> }
        })
        .unwrap()
        .to_string();
        assert!(tokens.contains("\"lamp\"") && tokens.contains("set_abstract"));
        assert!(tokens.contains("\"bright-ness\"") && tokens.contains(":: new (3)"), "{tokens}");
    }

    #[test]
    fn mistakes_say_what_would_be_right() {
        assert!(
            error_of(quote!(
                struct Lamp {
                    parent: Device,
                }
            ))
            .contains("#[object(name")
        );
        assert!(
            error_of(quote!(
                #[object(name = "x")]
                struct Lamp {
                    other: Device,
                }
            ))
            .contains("`parent`")
        );
        assert!(
            error_of(quote!(
                #[object(name = "x")]
                enum Lamp {}
            ))
            .contains("only a struct")
        );
        assert!(
            error_of(quote!(
                #[object(name = "x", colour)]
                struct L {
                    parent: D,
                }
            ))
            .contains("expected name, abstract")
        );
        assert!(
            error_of(quote!(
                #[object(name = "x")]
                struct L {
                    parent: D,
                    #[property(get)]
                    a: u8,
                }
            ))
            .contains("Field<T>")
        );
        assert!(
            error_of(quote!(
                #[object(name = "x")]
                struct L {
                    parent: D,
                    #[property()]
                    a: Field<u8>,
                }
            ))
            .contains("neither read nor written")
        );
    }
}
