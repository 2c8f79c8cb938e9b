//! Maps: keys, values and declarations.

use btaot_abi::aggregation::Series;
use btaot_abi::ids::MapId;
use btaot_frontend::{Code, Diagnostic, Span, ast};
use btaot_grammar::vocabulary::MapKind;

use super::Checker;
use super::variables::storable;
use crate::program::{Aggregation, Expr, ExprKind, Location};
use crate::ty::{Ty, promote};
use crate::types::{Space, Type};
use crate::value::{Checked, Stop, Value};

/// What is known of a map.
#[derive(Clone, Debug)]
pub(crate) struct MapState {
    /// Number, by first appearance.
    pub id: MapId,
    /// First appearance.
    pub location: Location,
    /// Whether it has a key; `None` before its first use as a value.
    pub keyed: Option<bool>,
    /// Type of the key.
    pub key: Option<Ty>,
    /// What it holds.
    pub shape: Option<Shape>,
    /// Something is written to it.
    pub written: bool,
    /// It was assigned something that it cannot hold, which was or will be reported.
    pub refused: bool,
    /// It was assigned something whose type was not known yet.
    pub awaited: bool,
    /// The kind and number of entries that the script asks for.
    pub declared: Option<(MapKind, u32)>,
}

/// What a map holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Plain values.
    Plain(Ty),
    /// An aggregation.
    Aggregate(Aggregation),
    /// A time series.
    Series(Series),
}

impl Shape {
    /// The type of its values in expressions.
    pub fn ty(&self) -> Ty {
        match self {
            Self::Plain(ty) => ty.clone(),
            Self::Aggregate(aggregation) => Ty::Aggregate(*aggregation),
            Self::Series(_) => Ty::Series,
        }
    }
}

impl Checker<'_, '_> {
    /// The map of a name, known from now on.
    pub(super) fn map(&mut self, name: &str, span: Span) -> &mut MapState {
        let location = self.location(span);
        let next = MapId(self.maps.len() as u32);
        self.maps.entry(name.to_owned()).or_insert_with(|| MapState {
            id: next,
            location,
            keyed: None,
            key: None,
            shape: None,
            written: false,
            refused: false,
            awaited: false,
            declared: None,
        })
    }

    /// The map of a name that must be used as a value somewhere.
    pub(super) fn known_map(&mut self, name: &str, span: Span) -> Checked<MapId> {
        let last = self.last;
        let state = self.map(name, span);
        match (state.keyed, last) {
            (Some(_), _) => Ok(state.id),
            (None, false) => Err(Stop::Unknown),
            (None, true) => {
                let names: Vec<String> = self
                    .maps
                    .iter()
                    .filter(|(_, map)| map.keyed.is_some())
                    .map(|(name, _)| format!("@{name}"))
                    .collect();
                let wrong = format!("@{name}");
                let hint = crate::probes::did_you_mean(&wrong, names.iter().map(String::as_str));
                let message = format!("`@{name}` is never written");
                self.fail(Diagnostic::error(Code::UndefinedMap, span, message).with_hint_opt(hint))
            }
        }
    }

    /// Whether a known map has a key.
    pub(super) fn is_keyed(&self, name: &str) -> bool {
        self.maps.get(name).is_some_and(|map| map.keyed == Some(true))
    }

    /// What a map holds, as far as known.
    pub(super) fn shape(&self, name: &str) -> Option<Shape> {
        self.maps.get(name)?.shape.clone()
    }

    /// A use of a map's entry: its number and the key in the map's type.
    pub(super) fn map_access(
        &mut self,
        name: &str,
        keys: Option<&[ast::Expr]>,
        span: Span,
    ) -> Checked<(MapId, Option<Expr>)> {
        let with_key = keys.is_some();
        let state = self.map(name, span);
        let id = state.id;
        let keyed = *state.keyed.get_or_insert(with_key);
        if keyed != with_key {
            let (has, now) = if keyed { ("a key", "none") } else { ("no key", "one") };
            let message = format!("`@{name}` has {has} elsewhere, and {now} here");
            return self.error(Code::MapKeyMismatch, span, message);
        }
        let Some(keys) = keys else { return Ok((id, None)) };
        let key = match keys {
            [key] => self.expr(key)?,
            keys => self.tuple(keys, span)?,
        };
        let at = keys.first().map_or(span, |key| key.span);
        let key = self.map_key(name, key, (span, at))?;
        Ok((id, Some(key)))
    }

    /// A key in the map's type; `span` is the access, `at` the key.
    pub(super) fn map_key(&mut self, name: &str, key: Value, (span, at): (Span, Span)) -> Checked<Expr> {
        self.refuse_as_key(&key.ty, span)?;
        let current = self.maps.get(name).and_then(|map| map.key.clone());
        let new = storable(&key.ty);
        let wider = match &current {
            None => Some(new.clone()),
            Some(current) => promote(current, &new),
        };
        let Some(wider) = wider else {
            let known = current.as_ref().map(|ty| self.show(ty)).unwrap_or_default();
            let message =
                format!("`@{name}` has keys of type `{known}`, and this is `{}`", self.show(&key.ty));
            return self.error(Code::MapKeyMismatch, span, message);
        };
        if !self.last && current.as_ref() != Some(&wider) {
            self.changed = true;
            if let Some(map) = self.maps.get_mut(name) {
                map.key = Some(wider.clone());
            }
        }
        let shown = key.ty.clone();
        match self.convert(key, &wider, at) {
            Some(key) => Ok(key),
            None => {
                let (known, new) = (self.show(&wider), self.show(&shown));
                let message = format!("`@{name}` has keys of type `{known}`, and this is `{new}`");
                self.error(Code::MapKeyMismatch, span, message)
            }
        }
    }

    fn refuse_as_key(&mut self, ty: &Ty, span: Span) -> Checked<()> {
        match ty {
            Ty::Tuple(fields) => fields.iter().try_for_each(|field| self.refuse_as_key(field, span)),
            Ty::Record(fields) => fields.iter().try_for_each(|(_, field)| self.refuse_as_key(field, span)),
            Ty::Plain(Type::Pointer { space: Space::Context, .. }) => {
                self.error(Code::BadArgument, span, "the context cannot be a key")
            }
            Ty::Plain(Type::Timestamp) => Ok(()),
            other => self.refuse_unstorable(other, span, "a key"),
        }
    }

    /// The value of an entry.
    pub(super) fn map_entry(
        &mut self,
        name: &str,
        id: MapId,
        key: Option<Expr>,
        span: Span,
    ) -> Checked<Value> {
        let shape = self.maps.get(name).and_then(|map| map.shape.clone());
        let Some(shape) = shape else {
            if self.last && !self.has_errors() {
                let message = format!("`@{name}` never gets a value");
                return self.error(Code::UndefinedMap, span, message);
            }
            return Err(Stop::Unknown);
        };
        if self.maps.get(name).is_some_and(|map| !map.written) {
            self.warn(Code::NeverWritten, span, format!("`@{name}` is never written, so this is 0"));
        }
        let kind = ExprKind::MapValue { map: id, key: key.map(Box::new) };
        Ok(Value::new(shape.ty(), kind, self.location(span)))
    }

    /// Widens what a map holds.
    ///
    /// # Errors
    /// What it holds, when that cannot hold the new one.
    pub(super) fn widen_map(&mut self, name: &str, new: &Shape) -> Result<Shape, Shape> {
        if let Some(map) = self.maps.get_mut(name) {
            map.written = true;
        }
        let Some(current) = self.shape(name) else {
            if let Some(map) = self.maps.get_mut(name) {
                map.shape = Some(new.clone());
                self.changed = true;
            }
            return Ok(new.clone());
        };
        let wider = match (&current, new) {
            (Shape::Plain(left), Shape::Plain(right)) => promote(left, right).map(Shape::Plain),
            (Shape::Aggregate(left), Shape::Aggregate(right)) => left.merged(*right).map(Shape::Aggregate),
            (Shape::Series(left), Shape::Series(right)) => left.merged(*right).map(Shape::Series),
            _ => None,
        };
        let Some(wider) = wider else { return Err(current) };
        if !self.last && wider != current {
            self.changed = true;
            if let Some(map) = self.maps.get_mut(name) {
                map.shape = Some(wider.clone());
            }
        }
        Ok(wider)
    }

    /// Maps that are used but never assigned hold small integers. Says whether there were any. Those that are assigned
    /// what depends on others wait until there are no others left.
    pub(super) fn settle_untyped_maps(&mut self) -> bool {
        let untyped = |map: &&mut MapState| map.shape.is_none() && map.keyed.is_some() && !map.refused;
        let all_wait = self.maps.values_mut().filter(untyped).all(|map| map.awaited);
        let mut any = false;
        for map in self.maps.values_mut().filter(untyped).filter(|map| all_wait || !map.awaited) {
            map.shape = Some(Shape::Plain(Ty::int(1, true)));
            any = true;
        }
        any
    }

    /// A value for a map; the map waits for it while its type is not known.
    pub(super) fn await_value<T>(&mut self, name: &str, value: Checked<T>) -> Checked<T> {
        if matches!(value, Err(Stop::Unknown))
            && let Some(map) = self.maps.get_mut(name)
        {
            map.awaited = true;
        }
        value
    }

    /// Takes `let @m = hash(5);` over.
    pub(super) fn declare_maps(&mut self, declarations: &[ast::MapDeclaration]) {
        for declaration in declarations {
            let name = &declaration.map.text;
            let span = declaration.span;
            let Some(kind) = MapKind::lookup(&declaration.kind.text) else {
                let message = format!("there is no kind of map `{}`", declaration.kind.text);
                let hint = crate::probes::did_you_mean(&declaration.kind.text, MapKind::names());
                self.report(Diagnostic::error(Code::BadMapDeclaration, span, message).with_hint_opt(hint));
                continue;
            };
            let size = match &declaration.arguments[..] {
                [ast::Expr { kind: ast::ExprKind::Int(size), .. }] => u32::try_from(*size).ok(),
                _ => None,
            };
            let Some(size) = size.filter(|size| *size > 0) else {
                let message = "a map declaration states its number of entries, at least 1";
                self.report(Diagnostic::error(Code::BadMapDeclaration, span, message));
                continue;
            };
            self.map(name, declaration.map.span).declared = Some((kind, size));
        }
    }

    /// Checks declarations against what the maps turned out to hold.
    pub(super) fn check_declarations(&mut self, declarations: &[ast::MapDeclaration]) {
        for declaration in declarations {
            let name = &declaration.map.text;
            let Some(MapState { declared: Some((kind, _)), keyed, shape, .. }) = self.maps.get(name) else {
                continue;
            };
            let (kind, keyed) = (*kind, *keyed);
            let aggregates = matches!(shape, Some(Shape::Aggregate(_) | Shape::Series(_)));
            let Some(keyed) = keyed else {
                let message = format!("`@{name}` is never used");
                self.warn(Code::UnusedDeclaration, declaration.span, message);
                continue;
            };
            let fits = match kind {
                MapKind::Hash | MapKind::LruHash => !aggregates,
                MapKind::PerCpuHash | MapKind::PerCpuLruHash => aggregates,
                MapKind::PerCpuArray => aggregates && !keyed,
            };
            if !fits {
                let message = format!("`@{name}` cannot be a `{}`", kind.name());
                let hint = if aggregates {
                    "aggregations need a per-CPU kind"
                } else {
                    "plain values need `hash` or `lruhash`"
                };
                let error = Diagnostic::error(Code::BadMapDeclaration, declaration.span, message);
                self.report(error.with_hint(hint));
            }
        }
    }
}
