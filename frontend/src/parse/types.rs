//! Type names.

use btaot_grammar::syntax::Rule;
use btaot_grammar::vocabulary::BuiltinType;
use pest::iterators::Pair;

use super::build::{Builder, Children, unexpected};
use crate::ast::{Expr, ExprKind, SizedType, Tag, Type, TypeKind, TypeOrExpr};

impl Builder<'_> {
    /// `type` and `tagged_type`.
    pub fn type_name(&mut self, pair: Pair<'_, Rule>) -> Type {
        let whole = self.span(&pair);
        let tagged = pair.as_rule() == Rule::tagged_type;
        let mut children = Children::of(pair);
        let first = children.next();
        let start = self.span(&first);
        let base = match first.as_rule() {
            Rule::tag if tagged => {
                let name = children.next();
                let span = start.to(self.span(&name));
                Type {
                    kind: TypeKind::Tagged { tag: tag(first.as_str()), name: name.as_str().to_owned() },
                    span,
                }
            }
            Rule::tagged_type => self.type_name(first),
            Rule::identifier => Type { kind: TypeKind::Named(first.as_str().to_owned()), span: start },
            Rule::c_words => {
                let words: Vec<_> = first.into_inner().map(|word| word.as_str()).collect();
                Type { kind: TypeKind::Named(words.join(" ")), span: start }
            }
            Rule::type_of => {
                let operand = self.type_of_operand(first);
                Type { kind: TypeKind::TypeOf(Box::new(operand)), span: start }
            }
            _ => unexpected(&first),
        };
        let modifiers: Vec<_> = children.rest().collect();
        let levels = modifiers.len();
        let failed = Type { kind: base.kind.clone(), span: whole };
        self.deeper(levels, whole, |builder| {
            modifiers.into_iter().fold(base, |inner, modifier| builder.modify(inner, modifier))
        })
        .unwrap_or(failed)
    }

    /// Applies `*` or `[N]` to a type.
    fn modify(&mut self, inner: Type, modifier: Pair<'_, Rule>) -> Type {
        let span = inner.span.to(self.span(&modifier));
        if modifier.as_rule() == Rule::pointer {
            return Type { kind: TypeKind::Pointer(Box::new(inner)), span };
        }
        let length = modifier.into_inner().next().map(|length| Box::new(self.length(length)));
        let kind = match (sized(&inner.kind), length) {
            (Some(base), Some(size)) => TypeKind::Sized { base, size },
            (_, length) => TypeKind::Array { element: Box::new(inner), length },
        };
        Type { kind, span }
    }

    fn length(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::identifier => Expr { kind: ExprKind::Ident(pair.as_str().to_owned()), span },
            Rule::integer => self.integer(&pair),
            Rule::positional => self.positional(&pair),
            _ => unexpected(&pair),
        }
    }

    /// The operand in `typeof(…)`, of a `type_of` pair.
    pub fn type_of_operand(&mut self, pair: Pair<'_, Rule>) -> TypeOrExpr {
        let mut children = Children::of(pair);
        children.next();
        self.type_or_expression(children.next())
    }

    /// `type_or_expression`
    pub fn type_or_expression(&mut self, pair: Pair<'_, Rule>) -> TypeOrExpr {
        let inner = Children::of(pair).next();
        match inner.as_rule() {
            Rule::r#type => TypeOrExpr::Type(self.type_name(inner)),
            Rule::expression => TypeOrExpr::Expr(Box::new(self.expression(inner))),
            _ => unexpected(&inner),
        }
    }
}

fn tag(keyword: &str) -> Tag {
    match keyword {
        "struct" => Tag::Struct,
        "union" => Tag::Union,
        _ => Tag::Enum,
    }
}

/// The types whose `[N]` is a size.
fn sized(kind: &TypeKind) -> Option<SizedType> {
    let TypeKind::Named(name) = kind else { return None };
    match BuiltinType::lookup(name)? {
        BuiltinType::String => Some(SizedType::String),
        BuiltinType::Buffer => Some(SizedType::Buffer),
        BuiltinType::Inet => Some(SizedType::Inet),
        _ => None,
    }
}
