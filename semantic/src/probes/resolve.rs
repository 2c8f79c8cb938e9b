//! One attach point.

use btaot_abi::Bytes;
use btaot_abi::metadata::{
    Access, AttachPoint, Fentry, FentryProgram, Kprobe, OwnSignal, Place, SampleRate, Target as Attach,
    Uprobe, Usdt,
};
use btaot_frontend::ast::{self, AttachTarget, Part, PerfEvent, Rate, RateUnit, Site};
use btaot_frontend::attach::{with_provider, wrong_parts};
use btaot_frontend::{Code, Diagnostic, Sources, Span};
use btaot_grammar::vocabulary::{HardwareEvent, ProbeKind, SoftwareEvent};

use super::{Layout, did_you_mean};
use crate::Options;
use crate::location::location;

/// A problem, on the heap because results are small and problems are rare.
type Problem = Box<Diagnostic>;

/// An attach point without mistakes.
pub(super) struct Resolved {
    /// What it is.
    pub kind: ProbeKind,
    /// The context of its program.
    pub layout: Layout,
    /// What the tool attaches to.
    pub attach: AttachPoint,
}

/// What an attach point means: several things when there is a wildcard in the probe type.
pub(super) fn attach_points(
    point: &ast::AttachPoint,
    sources: &Sources,
    options: &Options,
) -> Result<Vec<Resolved>, Problem> {
    if let Some(kind) = point.target.kind() {
        return Ok(vec![attach_point(point, kind, sources, options)?]);
    }
    let kinds = wildcard(point)?;
    let mut resolved = Vec::new();
    let mut problem = None;
    for kind in kinds {
        let one = with_provider(point, kind).and_then(|one| attach_point(&one, kind, sources, options));
        match one {
            Ok(one) => resolved.push(one),
            // Not every type takes the same parts.
            Err(other) => problem = Some(other),
        }
    }
    if resolved.len() > 1 {
        resolved.iter_mut().for_each(|one| one.attach.optional = true);
    }
    match problem {
        Some(problem) if resolved.is_empty() => Err(problem),
        _ => Ok(resolved),
    }
}

fn attach_point(
    point: &ast::AttachPoint,
    kind: ProbeKind,
    sources: &Sources,
    options: &Options,
) -> Result<Resolved, Problem> {
    let span = point.span;
    check(&point.target, span, options)?;
    let layout = layout(kind);
    let target = match &point.target {
        AttachTarget::Begin => Attach::Begin,
        AttachTarget::End => Attach::End,
        AttachTarget::Interval(rate) => Attach::Interval { ns: rate.nanoseconds() },
        AttachTarget::Profile(rate) => Attach::Profile { rate: sample_rate(*rate) },
        AttachTarget::Software(event) => software(event, span)?,
        AttachTarget::Tracepoint { category, event } => {
            Attach::Tracepoint { category: bytes(category), event: bytes(event) }
        }
        AttachTarget::Uprobe { ret, binary, cpp, site } => {
            Attach::Uprobe(Uprobe { path: bytes(binary), place: place(site, *cpp), ret: *ret })
        }
        AttachTarget::Kprobe { ret, module, site } => {
            let module = module.as_ref().map(bytes);
            Attach::Kprobe(Kprobe { module, place: place(site, false), ret: *ret })
        }
        // The front end takes no other signal.
        AttachTarget::SelfSignal { .. } => Attach::SelfSignal { signal: OwnSignal::Usr1 },
        AttachTarget::Test { name } => Attach::Test { name: bytes(name) },
        AttachTarget::Bench { name } => Attach::Bench { name: bytes(name) },
        AttachTarget::Hardware(event) => hardware(event, span)?,
        AttachTarget::Watchpoint { address, length, mode } => Attach::Watchpoint {
            address: *address,
            length: *length,
            access: Access { read: mode.read, write: mode.write, execute: mode.execute },
        },
        AttachTarget::RawTracepoint { module, event } => {
            Attach::RawTracepoint { module: module.as_ref().map(bytes), event: bytes(event) }
        }
        AttachTarget::Usdt { binary, provider, name } => Attach::Usdt(Usdt {
            path: if binary.text.is_empty() { Bytes::from("*") } else { bytes(binary) },
            provider: provider.as_ref().map(bytes),
            name: bytes(name),
        }),
        AttachTarget::Fentry { ret, module, function } => {
            let (module, function) = (module.as_ref().map(bytes), bytes(function));
            Attach::Fentry(Fentry { module, function, ret: *ret })
        }
        AttachTarget::FentryBpf { ret, id, program } => {
            Attach::FentryProgram(FentryProgram { id: *id, name: bytes(program), ret: *ret })
        }
        AttachTarget::Iter { name, pin } => Attach::Iter { name: bytes(name), pin: pin.as_ref().map(bytes) },
        AttachTarget::Unexpanded => return Err(unexpanded(point)),
    };
    let named = point.name.is_some();
    let name = match &point.name {
        Some(name) => Bytes::from(name.text.as_str()),
        None => name(kind, &point.target),
    };
    let attach = AttachPoint { name, location: location(sources, span), target, named, optional: false };
    Ok(Resolved { kind, layout, attach })
}

/// The context of a kind's programs.
fn layout(kind: ProbeKind) -> Layout {
    match kind {
        ProbeKind::Begin
        | ProbeKind::End
        | ProbeKind::SelfSignal
        | ProbeKind::Test
        | ProbeKind::Bench
        | ProbeKind::Interval => Layout::TestRun,
        ProbeKind::Profile | ProbeKind::Software | ProbeKind::Hardware | ProbeKind::Watchpoint => {
            Layout::PerfEvent
        }
        ProbeKind::Tracepoint => Layout::Tracepoint,
        ProbeKind::RawTracepoint => Layout::RawTracepoint,
        ProbeKind::Kprobe | ProbeKind::Kretprobe => Layout::Kprobe,
        ProbeKind::Fentry | ProbeKind::Fexit => Layout::Tracing,
        ProbeKind::Uprobe | ProbeKind::Uretprobe => Layout::Uprobe,
        ProbeKind::Usdt => Layout::Usdt,
        ProbeKind::Iter => Layout::Iter,
    }
}

/// What is wrong with one attach point by itself, beyond its form.
fn check(target: &AttachTarget, span: Span, options: &Options) -> Result<(), Problem> {
    match target {
        AttachTarget::Kprobe { site: Site::Address(_), .. } if !options.allow_unsafe => {
            let message = "a kprobe at an address can crash the kernel";
            let hint = "name a function, or compile with --unsafe";
            Err(Box::new(Diagnostic::error(Code::UnsafeFunction, span, message).with_hint(hint)))
        }
        AttachTarget::Uprobe { binary, .. } | AttachTarget::Usdt { binary, .. }
            if binary.text.is_empty() && !options.one_process =>
        {
            let kind = target.kind().unwrap_or(ProbeKind::Uprobe);
            Err(wrong_parts(kind, 1, span))
        }
        AttachTarget::Watchpoint { mode, .. } if mode.read && !mode.write => {
            let message = "the processor cannot watch for reads alone";
            let error = Diagnostic::error(Code::BadAttachPart, span, message);
            Err(Box::new(error.with_hint("watch for `rw`, `w` or `x`")))
        }
        _ => Ok(()),
    }
}

/// A wildcard in the probe type stands for all types that can have such parts: those of user code when a path is among
/// them, else those of the kernel, if there are any.
fn wildcard(point: &ast::AttachPoint) -> Result<Vec<ProbeKind>, Problem> {
    let [provider, parts @ ..] = &point.parts[..] else { return Err(unexpanded(point)) };
    if !point.positionals.is_empty() {
        return Err(unexpanded(point));
    }
    let count = u8::try_from(parts.len()).unwrap_or(u8::MAX);
    let suits = |kind: &ProbeKind| {
        let row = kind.row();
        row.wildcard
            && (row.parts.0..=row.parts.1).contains(&count)
            && crate::target::matches(&bytes(provider), &Bytes::from(kind.name()))
    };
    let kinds: Vec<ProbeKind> = ProbeKind::ALL.iter().copied().filter(suits).collect();
    let is_user =
        |kind: &ProbeKind| matches!(kind, ProbeKind::Uprobe | ProbeKind::Uretprobe | ProbeKind::Usdt);
    let has_path = parts.iter().any(|part| part.text.contains(&b'/'));
    let (user, kernel): (Vec<ProbeKind>, Vec<ProbeKind>) = kinds.into_iter().partition(is_user);
    let kinds = if has_path || kernel.is_empty() { user } else { kernel };
    if kinds.is_empty() {
        let message = format!("no probe type `{}` takes {count} parts and wildcards", provider.lossy());
        let error = Diagnostic::error(Code::WildcardNotAllowed, point.span, message);
        return Err(Box::new(error.with_hint("`btaot help probes` lists the probe types")));
    }
    Ok(kinds)
}

/// Why an attach point that is not known yet cannot be used.
fn unexpanded(point: &ast::AttachPoint) -> Problem {
    match point.positionals.first() {
        Some((number, _)) => {
            let message = format!("the probe depends on `${number}`, which is not known while compiling");
            let hint = "write the probe out, or use a wildcard and a predicate";
            Box::new(Diagnostic::error(Code::UnresolvedPositional, point.span, message).with_hint(hint))
        }
        None => {
            let message = "this is no attach point";
            Box::new(Diagnostic::error(Code::AttachPointParts, point.span, message))
        }
    }
}

fn bytes(part: &Part) -> Bytes {
    Bytes::from(part.text.clone())
}

/// Where in a binary or in the kernel.
fn place(site: &Site, demangled: bool) -> Place {
    match site {
        Site::Function { name, .. } if demangled => Place::Demangled(bytes(name)),
        Site::Function { name, offset } => Place::Symbol { name: bytes(name), offset: *offset },
        Site::Address(address) => Place::Address(*address),
        Site::Line { file, line, column } => Place::Line { file: bytes(file), line: *line, column: *column },
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

fn hardware(event: &PerfEvent, span: Span) -> Result<Attach, Problem> {
    let name = event.event.lossy();
    let Some(found) = HardwareEvent::lookup(&name) else {
        let message = format!("there is no hardware event `{name}`");
        let hint = did_you_mean(&name, HardwareEvent::names());
        return Err(Box::new(Diagnostic::error(Code::UnknownPerfEvent, span, message).with_hint_opt(hint)));
    };
    let row = found.row();
    let period = event.count.filter(|count| *count != 0).unwrap_or(row.default_count);
    Ok(Attach::Hardware { event: row.config, period })
}

/// The probe's name as `probe` shows it: canonical, with wildcards.
fn name(kind: ProbeKind, target: &AttachTarget) -> Bytes {
    let mut parts: Vec<Vec<u8>> = vec![kind.name().into()];
    match target {
        AttachTarget::Interval(rate) | AttachTarget::Profile(rate) => {
            parts.extend([rate.unit.name().into(), rate.value.to_string().into_bytes()]);
        }
        AttachTarget::SelfSignal { signal } => parts.extend([b"signal".to_vec(), signal.text.clone()]),
        AttachTarget::Test { name } | AttachTarget::Bench { name } => parts.push(name.text.clone()),
        AttachTarget::Software(event) | AttachTarget::Hardware(event) => {
            parts.push(event.event.text.clone());
            parts.extend(event.count.map(|count| count.to_string().into_bytes()));
        }
        AttachTarget::Tracepoint { category, event } => {
            parts.extend([category.text.clone(), event.text.clone()]);
        }
        AttachTarget::RawTracepoint { module, event } => {
            parts.extend(module.iter().map(|module| module.text.clone()));
            parts.push(event.text.clone());
        }
        AttachTarget::Watchpoint { address, length, mode } => {
            let letters = [(mode.read, 'r'), (mode.write, 'w'), (mode.execute, 'x')];
            let mode: String = letters.iter().filter(|(on, _)| *on).map(|(_, letter)| letter).collect();
            parts.extend([format!("{address:#x}").into(), length.to_string().into(), mode.into()]);
        }
        AttachTarget::Usdt { binary, provider, name } => {
            parts.extend(Some(binary.text.clone()).filter(|text| !text.is_empty()));
            parts.extend(provider.iter().map(|provider| provider.text.clone()));
            parts.push(name.text.clone());
        }
        AttachTarget::Uprobe { binary, site: site @ Site::Line { .. }, .. } => {
            parts.push([&binary.text[..], b"@", &site_name(site)].concat());
        }
        AttachTarget::Uprobe { binary, cpp, site, .. } => {
            parts.extend(Some(binary.text.clone()).filter(|text| !text.is_empty()));
            parts.extend(cpp.then(|| b"cpp".to_vec()));
            parts.push(site_name(site));
        }
        AttachTarget::Kprobe { module, site, .. } => {
            parts.extend(module.iter().map(|module| module.text.clone()));
            parts.push(site_name(site));
        }
        AttachTarget::Fentry { module, function, .. } => {
            parts.extend(module.iter().map(|module| module.text.clone()));
            parts.push(function.text.clone());
        }
        AttachTarget::FentryBpf { id, program, .. } => {
            parts.push(b"bpf".to_vec());
            parts.extend(id.map(|id| id.to_string().into_bytes()));
            parts.push(program.text.clone());
        }
        AttachTarget::Iter { name, pin } => {
            parts.push(name.text.clone());
            parts.extend(pin.iter().map(|pin| pin.text.clone()));
        }
        AttachTarget::Unexpanded | AttachTarget::Begin | AttachTarget::End => {}
    }
    Bytes::from(parts.join(&b':'))
}

fn site_name(site: &Site) -> Vec<u8> {
    match site {
        Site::Function { name, offset: 0 } => name.text.clone(),
        Site::Function { name, offset } => [&name.text[..], format!("+{offset}").as_bytes()].concat(),
        Site::Address(address) => format!("{address:#x}").into_bytes(),
        Site::Line { file, line, column } => {
            let column = column.map(|column| format!(":{column}")).unwrap_or_default();
            [&file.text[..], format!(":{line}{column}").as_bytes()].concat()
        }
    }
}
