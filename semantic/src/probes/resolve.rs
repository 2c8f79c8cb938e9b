//! One attach point.

use btaot_abi::Bytes;
use btaot_abi::metadata::{AttachPoint, Kprobe, Place, SampleRate, Target as Attach, Uprobe};
use btaot_frontend::ast::{self, AttachTarget, Part, PerfEvent, Rate, RateUnit, Site};
use btaot_frontend::{Code, Diagnostic, Sources, Span};
use btaot_grammar::vocabulary::{ProbeKind, SoftwareEvent};

use super::did_you_mean;
use crate::Options;
use crate::location::location;

/// A problem, on the heap because results are small and problems are rare.
type Problem = Box<Diagnostic>;

pub(super) fn attach_point(
    point: &ast::AttachPoint,
    sources: &Sources,
    options: &Options,
) -> Result<(ProbeKind, AttachPoint), Problem> {
    let span = point.span;
    let Some(kind) = point.target.kind() else { return Err(unexpanded(point)) };
    if let Some(name) = &point.name {
        return Err(not_yet(name.span, "naming a probe"));
    }
    let target = match &point.target {
        AttachTarget::Begin => Attach::Begin,
        AttachTarget::End => Attach::End,
        AttachTarget::Interval(rate) => Attach::Interval { ns: rate.nanoseconds() },
        AttachTarget::Profile(rate) => Attach::Profile { rate: sample_rate(*rate) },
        AttachTarget::Software(event) => software(event, span)?,
        AttachTarget::Tracepoint { category, event } => {
            Attach::Tracepoint { category: bytes(category), event: bytes(event) }
        }
        AttachTarget::Uprobe { cpp: true, .. } => return Err(not_yet(span, "a demangled name (`cpp:`)")),
        AttachTarget::Uprobe { ret, binary, site, .. } => {
            Attach::Uprobe(Uprobe { path: bytes(binary), place: place(site, span)?, ret: *ret })
        }
        AttachTarget::Kprobe { site: Site::Address(_), .. } if !options.allow_unsafe => {
            let message = "a kprobe at an address can crash the kernel";
            let hint = "name a function, or compile with --unsafe";
            return Err(Box::new(Diagnostic::error(Code::UnsafeFunction, span, message).with_hint(hint)));
        }
        AttachTarget::Kprobe { ret, module, site } => Attach::Kprobe(Kprobe {
            module: module.as_ref().map(bytes),
            place: place(site, span)?,
            ret: *ret,
        }),
        AttachTarget::Unexpanded
        | AttachTarget::SelfSignal { .. }
        | AttachTarget::Test { .. }
        | AttachTarget::Bench { .. }
        | AttachTarget::Hardware(_)
        | AttachTarget::RawTracepoint { .. }
        | AttachTarget::Fentry { .. }
        | AttachTarget::FentryBpf { .. }
        | AttachTarget::Usdt { .. }
        | AttachTarget::Watchpoint { .. }
        | AttachTarget::Iter { .. } => {
            return Err(not_yet(span, &format!("the probe type `{}`", kind.name())));
        }
    };
    let name = name(kind, &point.target);
    Ok((kind, AttachPoint { name, location: location(sources, span), target }))
}

/// Why an attach point that is not known yet cannot be used.
fn unexpanded(point: &ast::AttachPoint) -> Problem {
    match point.positionals.first() {
        Some((number, _)) => {
            let message = format!("the probe depends on `${number}`, which is not known while compiling");
            let hint = "write the probe out, or use a wildcard and a predicate";
            Box::new(Diagnostic::error(Code::UnresolvedPositional, point.span, message).with_hint(hint))
        }
        None => not_yet(point.span, "a wildcard in the probe type"),
    }
}

fn not_yet(span: Span, what: &str) -> Problem {
    Box::new(Diagnostic::error(Code::NotSupportedYet, span, format!("{what} is not supported yet")))
}

fn bytes(part: &Part) -> Bytes {
    Bytes::from(part.text.clone())
}

fn place(site: &Site, span: Span) -> Result<Place, Problem> {
    match site {
        Site::Function { name, offset } => Ok(Place::Symbol { name: bytes(name), offset: *offset }),
        Site::Address(address) => Ok(Place::Address(*address)),
        Site::Line { .. } => Err(not_yet(span, "a source line as a probe")),
    }
}

fn sample_rate(rate: Rate) -> SampleRate {
    match rate.unit {
        RateUnit::Hertz => SampleRate::Hertz(rate.value),
        RateUnit::Seconds | RateUnit::Milliseconds | RateUnit::Microseconds => {
            SampleRate::Period(rate.nanoseconds())
        }
    }
}

fn software(event: &PerfEvent, span: Span) -> Result<Attach, Problem> {
    let name = event.event.lossy();
    let Some(found) = SoftwareEvent::lookup(&name) else {
        let message = format!("there is no software event `{name}`");
        let hint = did_you_mean(&name, SoftwareEvent::names());
        return Err(Box::new(Diagnostic::error(Code::UnknownPerfEvent, span, message).with_hint_opt(hint)));
    };
    let row = found.row();
    let period = event.count.filter(|count| *count != 0).unwrap_or(row.default_count);
    Ok(Attach::Software { event: row.config, period })
}

/// The probe's name as `probe` shows it: canonical, with wildcards.
fn name(kind: ProbeKind, target: &AttachTarget) -> Bytes {
    let mut parts: Vec<Vec<u8>> = vec![kind.name().into()];
    match target {
        AttachTarget::Interval(rate) | AttachTarget::Profile(rate) => {
            parts.extend([rate.unit.name().into(), rate.value.to_string().into_bytes()]);
        }
        AttachTarget::Software(event) => {
            parts.push(event.event.text.clone());
            parts.extend(event.count.map(|count| count.to_string().into_bytes()));
        }
        AttachTarget::Tracepoint { category, event } => {
            parts.extend([category.text.clone(), event.text.clone()]);
        }
        AttachTarget::Uprobe { binary, site, .. } => parts.extend([binary.text.clone(), site_name(site)]),
        AttachTarget::Kprobe { module, site, .. } => {
            parts.extend(module.iter().map(|module| module.text.clone()));
            parts.push(site_name(site));
        }
        _ => {}
    }
    Bytes::from(parts.join(&b':'))
}

fn site_name(site: &Site) -> Vec<u8> {
    match site {
        Site::Function { name, offset: 0 } => name.text.clone(),
        Site::Function { name, offset } => [&name.text[..], format!("+{offset}").as_bytes()].concat(),
        Site::Address(address) => format!("{address:#x}").into_bytes(),
        Site::Line { file, line, .. } => [&file.text[..], format!(":{line}").as_bytes()].concat(),
    }
}
