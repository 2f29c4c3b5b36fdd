//! What is written on the struct and on its fields, read and checked.

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{DeriveInput, Expr, ExprLit, ExprUnary, Field, Lit, LitInt, LitStr, Path, Type, UnOp};

/// `#[object(…)]` on the struct.
pub(super) struct TypeAttributes {
    pub(super) name: LitStr,
    pub(super) is_abstract: bool,
    pub(super) interfaces: Vec<Type>,
    pub(super) class_init: Option<Path>,
    pub(super) instance_init: Option<Path>,
    pub(super) instance_post_init: Option<Path>,
}

/// One `#[property(…)]` on a field.
pub(super) struct PropertyAttributes {
    pub(super) span: Span,
    pub(super) name: Option<LitStr>,
    pub(super) get: bool,
    pub(super) set: bool,
    pub(super) default: Option<Expr>,
    pub(super) minimum: Option<Expr>,
    pub(super) maximum: Option<Expr>,
    pub(super) bit: Option<LitInt>,
    pub(super) link: Option<LitStr>,
    pub(super) check: Option<Path>,
    pub(super) deprecated: Option<LitStr>,
    pub(super) description: Option<LitStr>,
    pub(super) internal: bool,
    pub(super) settable_after_realize: bool,
}

pub(super) fn type_attributes(input: &DeriveInput) -> syn::Result<TypeAttributes> {
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

/// The properties that a field is the state of: one, or several bits of a word.
pub(super) fn property_attributes(field: &Field) -> syn::Result<Vec<PropertyAttributes>> {
    let attributes = field.attrs.iter().filter(|attribute| attribute.path().is_ident("property"));
    let found = attributes.map(property_attribute).collect::<syn::Result<Vec<_>>>()?;
    if let [first, second, ..] = found.as_slice()
        && let Some(plain) = found.iter().find(|property| property.bit.is_none())
    {
        let at = if std::ptr::eq(plain, first) { second } else { plain };
        return Err(syn::Error::new(
            at.span,
            "a field is the state of one property; several are bits of a word, each with `bit = …` and `name = …`",
        ));
    }
    Ok(found)
}

fn property_attribute(attribute: &syn::Attribute) -> syn::Result<PropertyAttributes> {
    let mut found = PropertyAttributes {
        span: attribute.span(),
        name: None,
        get: false,
        set: false,
        default: None,
        minimum: None,
        maximum: None,
        bit: None,
        link: None,
        check: None,
        deprecated: None,
        description: None,
        internal: false,
        settable_after_realize: false,
    };
    attribute.parse_nested_meta(|meta| {
        if meta.path.is_ident("get") {
            found.get = true;
        } else if meta.path.is_ident("set") {
            found.set = true;
        } else if meta.path.is_ident("settable_after_realize") {
            found.settable_after_realize = true;
        } else if meta.path.is_ident("internal") {
            found.internal = true;
        } else if meta.path.is_ident("name") {
            found.name = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("description") {
            found.description = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("deprecated") {
            found.deprecated = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("default") {
            found.default = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("minimum") {
            found.minimum = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("maximum") {
            found.maximum = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("bit") {
            found.bit = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("link") {
            found.link = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("check") {
            found.check = Some(meta.value()?.parse()?);
        } else {
            return Err(meta.error(
                "unknown attribute; expected get, set, name, description, default, minimum, maximum, bit, link, check, \
                 deprecated, internal or settable_after_realize",
            ));
        }
        Ok(())
    })?;
    found.consistent().map(|()| found)
}

impl PropertyAttributes {
    /// Refuses what contradicts itself, at the part that is too much.
    fn consistent(&self) -> syn::Result<()> {
        let refuse = |at: &dyn ToTokens, text: &str| Err(syn::Error::new(at.span(), text));
        if !self.get && !self.set {
            let text = "a property that can be neither read nor written: add `get` or `set`";
            return Err(syn::Error::new(self.span, text));
        }
        let limit = self.minimum.as_ref().or(self.maximum.as_ref());
        if self.link.is_some() {
            if let Some(default) = &self.default {
                return refuse(default, "a link has no default: it points nowhere until somebody sets it");
            }
            if let Some(limit) = limit {
                return refuse(limit, "a link has no limits: use `check = function`");
            }
        }
        if let Some(bit) = &self.bit {
            if self.link.is_some() {
                return refuse(bit, "a property is either a bit of a word or a link");
            }
            if let Some(limit) = limit {
                return refuse(limit, "a bit has no limits");
            }
            if self.name.is_none() {
                return refuse(bit, "a bit of a word needs a name of its own: add `name = \"…\"`");
            }
            if let Some(check) = &self.check {
                return refuse(check, "a bit has no check: it is on or off");
            }
        }
        if !self.set {
            if let Some(limit) = limit {
                return refuse(limit, "limits are for writing, and this property has no `set`");
            }
            if let Some(check) = &self.check {
                return refuse(check, "a check is for writing, and this property has no `set`");
            }
        }
        self.within_limits()
    }

    /// Where default and limits are numbers as written, they must fit together.
    fn within_limits(&self) -> syn::Result<()> {
        let number = |expr: &Option<Expr>| expr.as_ref().and_then(literal);
        let (minimum, maximum) = (number(&self.minimum), number(&self.maximum));
        let refuse = |at: &Option<Expr>, text: String| Err(syn::Error::new(at.span(), text));
        if let (Some(minimum), Some(maximum)) = (minimum, maximum)
            && minimum > maximum
        {
            return refuse(&self.maximum, format!("the maximum {maximum} is below the minimum {minimum}"));
        }
        match number(&self.default) {
            Some(default) if minimum.is_some_and(|minimum| default < minimum) => refuse(
                &self.default,
                format!("the default {default} is below the minimum {}", minimum.unwrap_or(0)),
            ),
            Some(default) if maximum.is_some_and(|maximum| default > maximum) => refuse(
                &self.default,
                format!("the default {default} is above the maximum {}", maximum.unwrap_or(0)),
            ),
            _ => Ok(()),
        }
    }
}

/// The number that an expression is, if it is written as one.
fn literal(expr: &Expr) -> Option<i128> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => int.base10_parse().ok(),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => literal(expr)?.checked_neg(),
        _ => None,
    }
}

pub(super) fn field_default(field: &Field) -> syn::Result<Option<Expr>> {
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
