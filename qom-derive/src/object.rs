//! `#[derive(Object)]`: from a struct to its `TypeInfo`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Expr, Field, Fields, Ident, LitStr, Path, Type};

/// `#[object(…)]` on the struct.
struct TypeAttributes {
    name: LitStr,
    is_abstract: bool,
    interfaces: Vec<Type>,
    class_init: Option<Path>,
    instance_init: Option<Path>,
    instance_post_init: Option<Path>,
}

/// `#[property(…)]` on a field.
#[derive(Default)]
struct PropertyAttributes {
    name: Option<LitStr>,
    get: bool,
    set: bool,
    default: Option<Expr>,
    link: Option<LitStr>,
    settable_after_realize: bool,
}

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
        let property = property_attributes(field)?;
        let default = match (field_default(field)?, &property) {
            (Some(default), Some(PropertyAttributes { default: Some(other), .. })) => {
                return Err(syn::Error::new(
                    other.span(),
                    format!("the default is given twice; the other one is `{}`", quote!(#default)),
                ));
            }
            (Some(default), _) => quote!(#default),
            (None, Some(PropertyAttributes { default: Some(default), .. })) => {
                let ty = &field.ty;
                quote!(<#ty>::new(#default))
            }
            (None, _) => quote!(::core::default::Default::default()),
        };
        initializers.push(quote!(#ident: #default));
        if let Some(property) = property {
            properties.push(property_tokens(&input.ident, field, ident, &property)?);
        }
    }
    Ok(type_tokens(&input.ident, &attributes, &parent.ty, &initializers, &properties))
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

fn property_tokens(
    owner: &Ident,
    field: &Field,
    ident: &Ident,
    attributes: &PropertyAttributes,
) -> syn::Result<TokenStream> {
    let name = attributes
        .name
        .clone()
        .unwrap_or_else(|| LitStr::new(&ident.to_string().replace('_', "-"), ident.span()));
    let description = doc_line(&field.attrs);
    let description = description.map(|text| quote!(.description(#text)));
    let after = attributes.settable_after_realize.then(|| quote!(.settable_after_realize()));
    if let Some(target) = &attributes.link {
        let read_only = (!attributes.set).then(|| quote!(.read_only()));
        return Ok(quote! {
            class.add_property(
                ::qom::Property::link::<#owner>(#name, #target, |this| &this.#ident) #read_only #description #after
            );
        });
    }
    let value = inner_type(&field.ty)?;
    let default = attributes.default.as_ref().map(
        |default| quote!(.default({ let value: #value = #default; ::qom::PropertyValue::to_value(&value) })),
    );
    let set = attributes.set.then(|| {
        quote!(.settable::<#owner, #value>(|this, value| { this.#ident.set(value); ::core::result::Result::Ok(()) }))
    });
    let get = if attributes.get {
        quote!(::qom::Property::of::<#owner, #value>(#name, |this| this.#ident.get()))
    } else {
        quote!(::qom::Property::new(#name, <#value as ::qom::PropertyValue>::type_name()))
    };
    Ok(quote!(class.add_property(#get #set #default #description #after);))
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

fn type_attributes(input: &DeriveInput) -> syn::Result<TypeAttributes> {
    let mut name = None;
    let mut attributes = TypeAttributes {
        name: LitStr::new("", input.ident.span()),
        is_abstract: false,
        interfaces: Vec::new(),
        class_init: None,
        instance_init: None,
        instance_post_init: None,
    };
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("object")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("name") {
                name = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("abstract") {
                attributes.is_abstract = true;
            } else if meta.path.is_ident("interfaces") {
                let content;
                syn::parenthesized!(content in meta.input);
                let list = content.parse_terminated(<Type as syn::parse::Parse>::parse, syn::Token![,])?;
                attributes.interfaces.extend(list);
            } else if meta.path.is_ident("class_init") {
                attributes.class_init = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("instance_init") {
                attributes.instance_init = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("instance_post_init") {
                attributes.instance_post_init = Some(meta.value()?.parse()?);
            } else {
                return Err(meta.error(
                    "unknown attribute; expected name, abstract, interfaces, class_init, instance_init or \
                     instance_post_init",
                ));
            }
            Ok(())
        })?;
    }
    attributes.name = name.ok_or_else(|| {
        syn::Error::new(input.ident.span(), "the type needs a name: #[object(name = \"type-name\")]")
    })?;
    if attributes.name.value().is_empty() {
        return Err(syn::Error::new(attributes.name.span(), "the type's name is empty"));
    }
    Ok(attributes)
}

fn property_attributes(field: &Field) -> syn::Result<Option<PropertyAttributes>> {
    let Some(attribute) = field.attrs.iter().find(|attribute| attribute.path().is_ident("property")) else {
        return Ok(None);
    };
    let mut found = PropertyAttributes::default();
    attribute.parse_nested_meta(|meta| {
        if meta.path.is_ident("get") {
            found.get = true;
        } else if meta.path.is_ident("set") {
            found.set = true;
        } else if meta.path.is_ident("settable_after_realize") {
            found.settable_after_realize = true;
        } else if meta.path.is_ident("name") {
            found.name = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("default") {
            found.default = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("link") {
            found.link = Some(meta.value()?.parse()?);
        } else {
            return Err(meta.error(
                "unknown attribute; expected get, set, name, default, link or settable_after_realize",
            ));
        }
        Ok(())
    })?;
    if !found.get && !found.set {
        return Err(syn::Error::new(
            attribute.span(),
            "a property that can be neither read nor written: add `get` or `set`",
        ));
    }
    Ok(Some(found))
}

fn field_default(field: &Field) -> syn::Result<Option<Expr>> {
    let mut default = None;
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("object")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("default") {
                default = Some(meta.value()?.parse()?);
                Ok(())
            } else {
                Err(meta.error("unknown attribute of a field; expected default"))
            }
        })?;
    }
    Ok(default)
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
