//! Parts to a target, by provider.

use btaot_grammar::vocabulary::{HardwareEvent, PerfEventRow, ProbeKind, SoftwareEvent, closest};

use super::Result;
use crate::ast::{AttachTarget, Part, PerfEvent, Rate, RateUnit, Site, WatchMode};
use crate::diagnostic::{Code, Diagnostic};
use crate::parse::integer;
use crate::source::Span;

/// The meaning of the parts behind a provider.
pub(super) fn target(kind: ProbeKind, parts: &[Part], span: Span) -> Result<AttachTarget> {
    Resolver { kind, span }.target(parts)
}

/// What every message needs.
struct Resolver {
    kind: ProbeKind,
    span: Span,
}

impl Resolver {
    fn target(&self, parts: &[Part]) -> Result<AttachTarget> {
        match (self.kind, parts) {
            (ProbeKind::Begin, []) => Ok(AttachTarget::Begin),
            (ProbeKind::End, []) => Ok(AttachTarget::End),
            (ProbeKind::SelfSignal, [word, signal]) => self.own_signal(word, signal),
            (ProbeKind::Test, [name]) => Ok(AttachTarget::Test { name: self.filled(name)? }),
            (ProbeKind::Bench, [name]) => Ok(AttachTarget::Bench { name: self.filled(name)? }),
            (ProbeKind::Interval, parts @ ([_] | [_, _])) => Ok(AttachTarget::Interval(self.rate(parts)?)),
            (ProbeKind::Profile, parts @ ([_] | [_, _])) => Ok(AttachTarget::Profile(self.rate(parts)?)),
            (ProbeKind::Software, [event, count @ ..]) if count.len() < 2 => {
                let row = SoftwareEvent::lookup(&event.lossy()).map(SoftwareEvent::row);
                Ok(AttachTarget::Software(self.perf(event, count, row, &mut SoftwareEvent::names())?))
            }
            (ProbeKind::Hardware, [event, count @ ..]) if count.len() < 2 => {
                let row = HardwareEvent::lookup(&event.lossy()).map(HardwareEvent::row);
                Ok(AttachTarget::Hardware(self.perf(event, count, row, &mut HardwareEvent::names())?))
            }
            (ProbeKind::Tracepoint, [category, event]) => {
                Ok(AttachTarget::Tracepoint { category: self.filled(category)?, event: self.filled(event)? })
            }
            (ProbeKind::RawTracepoint, [event]) => {
                Ok(AttachTarget::RawTracepoint { module: None, event: self.filled(event)? })
            }
            (ProbeKind::RawTracepoint, [module, event]) => Ok(AttachTarget::RawTracepoint {
                module: Some(self.filled(module)?),
                event: self.filled(event)?,
            }),
            (ProbeKind::Kprobe | ProbeKind::Kretprobe, [site]) => self.kprobe(None, site),
            (ProbeKind::Kprobe | ProbeKind::Kretprobe, [module, site]) => self.kprobe(Some(module), site),
            (ProbeKind::Fentry | ProbeKind::Fexit, parts) => self.fentry(parts),
            (ProbeKind::Uprobe | ProbeKind::Uretprobe, parts) => self.uprobe(parts),
            (ProbeKind::Usdt, [name]) => {
                Ok(AttachTarget::Usdt { binary: self.implied(), provider: None, name: self.filled(name)? })
            }
            (ProbeKind::Usdt, [binary, name]) => Ok(AttachTarget::Usdt {
                binary: self.filled(binary)?,
                provider: None,
                name: self.filled(name)?,
            }),
            (ProbeKind::Usdt, [binary, provider, name]) => {
                let provider = Some(provider).filter(|provider| !provider.text.is_empty()).cloned();
                Ok(AttachTarget::Usdt { binary: self.filled(binary)?, provider, name: self.filled(name)? })
            }
            (ProbeKind::Watchpoint, [address, length, mode]) => self.watchpoint(address, length, mode),
            (ProbeKind::Iter, [name, pin @ ..]) if pin.len() < 2 => self.iterator(name, pin.first()),
            _ => Err(self.wrong_parts(parts.len())),
        }
    }

    /// An error about one part: the whole attach point is the primary place.
    fn bad(&self, code: Code, part: &Part, message: impl Into<String>) -> Box<Diagnostic> {
        let problem = Diagnostic::error(code, self.span, message);
        if part.span == self.span || part.span.is_empty() {
            return Box::new(problem);
        }
        Box::new(problem.with_secondary(part.span, "this part"))
    }

    fn wrong_parts(&self, found: usize) -> Box<Diagnostic> {
        wrong_parts(self.kind, found, self.span)
    }

    /// A part that must not be empty.
    fn filled(&self, part: &Part) -> Result<Part> {
        if part.text.is_empty() {
            return Err(self.bad(
                Code::BadAttachPart,
                part,
                format!("`{}` has an empty part", self.kind.name()),
            ));
        }
        Ok(part.clone())
    }

    /// A part that must be a plain name.
    fn plain(&self, part: &Part) -> Result<Part> {
        if part.is_wildcard() {
            let message = format!("`{}` takes no wildcards here", self.kind.name());
            return Err(self.bad(Code::WildcardNotAllowed, part, message));
        }
        self.filled(part)
    }

    fn number(&self, part: &Part, what: &str) -> Result<u64> {
        integer(&part.lossy())
            .ok_or_else(|| self.bad(Code::BadAttachPart, part, format!("`{}` is not {what}", part.lossy())))
    }

    fn own_signal(&self, word: &Part, signal: &Part) -> Result<AttachTarget> {
        if word.text != b"signal" || signal.text != b"SIGUSR1" {
            let problem =
                *self.bad(Code::BadAttachPart, signal, "the tool's own probe is `self:signal:SIGUSR1`");
            return Err(Box::new(problem));
        }
        Ok(AttachTarget::SelfSignal { signal: signal.clone() })
    }

    /// `UNIT:N`, or one number of nanoseconds, usually with a duration suffix.
    fn rate(&self, parts: &[Part]) -> Result<Rate> {
        let [unit, count] = parts else {
            let nanoseconds = self.number(&parts[0], "a duration")?;
            if nanoseconds < 1000 {
                let problem =
                    *self.bad(Code::BadAttachPart, &parts[0], "a period must be at least 1 microsecond");
                let hint = "a bare number counts nanoseconds; write `hz:99` or `1s`";
                return Err(Box::new(problem.with_hint(hint)));
            }
            return Ok(Rate { unit: RateUnit::Microseconds, value: nanoseconds / 1000 });
        };
        let units = [RateUnit::Hertz, RateUnit::Seconds, RateUnit::Milliseconds, RateUnit::Microseconds];
        let Some(unit) = units.into_iter().find(|known| known.name().as_bytes() == unit.text) else {
            let problem =
                *self.bad(Code::BadAttachPart, unit, format!("`{}` is not a unit of time", unit.lossy()));
            return Err(Box::new(problem.with_hint("units are hz, s, ms and us")));
        };
        let value = self.number(count, "a number")?;
        if value == 0 {
            return Err(self.bad(Code::BadAttachPart, count, "a rate must be at least 1"));
        }
        Ok(Rate { unit, value })
    }

    fn perf(
        &self,
        event: &Part,
        count: &[Part],
        row: Option<&PerfEventRow>,
        names: &mut dyn Iterator<Item = &'static str>,
    ) -> Result<PerfEvent> {
        let event = self.plain(event)?;
        if row.is_none() {
            let name = event.lossy();
            let problem = *self.bad(
                Code::UnknownPerfEvent,
                &event,
                format!("unknown {} event `{name}`", self.kind.name()),
            );
            let hint = closest(&name, names).map(|close| format!("did you mean `{close}`?"));
            return Err(Box::new(problem.with_hint_opt(hint)));
        }
        let count = match count {
            [count] if !count.text.is_empty() => Some(self.number(count, "a number of events")?),
            _ => None,
        };
        Ok(PerfEvent { event, count })
    }

    /// `function`, `function+offset` or an address.
    fn site(&self, part: &Part) -> Result<Site> {
        let part = self.filled(part)?;
        if part.text[0].is_ascii_digit() {
            return Ok(Site::Address(self.number(&part, "an address")?));
        }
        // A demangled C++ name may hold a `+` (operator+), so only a number behind the last one is an offset.
        let plus = part.text.iter().rposition(|byte| *byte == b'+');
        let Some(plus) = plus.filter(|at| part.text.get(at + 1).is_some_and(u8::is_ascii_digit)) else {
            return Ok(Site::Function { name: part, offset: 0 });
        };
        let digits = String::from_utf8_lossy(&part.text[plus + 1..]).into_owned();
        let offset = integer(&digits)
            .ok_or_else(|| self.bad(Code::BadAttachPart, &part, format!("`{digits}` is not an offset")))?;
        let name = self.plain(&Part { text: part.text[..plus].to_vec(), span: part.span })?;
        Ok(Site::Function { name, offset })
    }

    /// Return probes fire on returning, wherever in the function that is.
    fn no_offset(&self, site: &Site, part: &Part) -> Result<()> {
        let ret = matches!(self.kind, ProbeKind::Kretprobe | ProbeKind::Uretprobe);
        if ret && matches!(site, Site::Function { offset: 1.., .. } | Site::Line { .. }) {
            return Err(self.bad(Code::BadAttachPart, part, "a return probe takes no offset"));
        }
        Ok(())
    }

    fn kprobe(&self, module: Option<&Part>, part: &Part) -> Result<AttachTarget> {
        let site = self.site(part)?;
        self.no_offset(&site, part)?;
        let module = module.map(|module| self.filled(module)).transpose()?;
        Ok(AttachTarget::Kprobe { ret: self.kind == ProbeKind::Kretprobe, module, site })
    }

    fn fentry(&self, parts: &[Part]) -> Result<AttachTarget> {
        let ret = self.kind == ProbeKind::Fexit;
        let is_bpf = parts.first().is_some_and(|part| part.text == b"bpf");
        match parts {
            [_] if is_bpf => {
                let problem = Diagnostic::error(
                    Code::AttachPointParts,
                    self.span,
                    "the name of a BPF program is missing",
                );
                let hint = format!("write `{0}:bpf:PROGRAM` or `{0}:bpf:ID:PROGRAM`", self.kind.name());
                Err(Box::new(problem.with_hint(hint)))
            }
            [function] => Ok(AttachTarget::Fentry { ret, module: None, function: self.filled(function)? }),
            [_, program] if is_bpf => {
                Ok(AttachTarget::FentryBpf { ret, id: None, program: self.filled(program)? })
            }
            [module, function] => {
                let (module, function) = (Some(self.filled(module)?), self.filled(function)?);
                Ok(AttachTarget::Fentry { ret, module, function })
            }
            [_, id, program] if is_bpf => {
                let number = self.number(id, "the number of a BPF program")?;
                let id = u32::try_from(number)
                    .map_err(|_| self.bad(Code::BadAttachPart, id, "program numbers have 32 bits"))?;
                Ok(AttachTarget::FentryBpf { ret, id: Some(id), program: self.filled(program)? })
            }
            _ => Err(self.wrong_parts(parts.len())),
        }
    }

    fn uprobe(&self, parts: &[Part]) -> Result<AttachTarget> {
        let ret = self.kind == ProbeKind::Uretprobe;
        let target = |binary: &Part, cpp, site| {
            Ok(AttachTarget::Uprobe { ret, binary: self.filled(binary)?, cpp, site })
        };
        match parts {
            [binary, at, file, line, column @ ..] if at.text == b"@" && column.len() < 2 => {
                let small = |part: &Part, what: &str| {
                    let number = self.number(part, what)?;
                    u32::try_from(number)
                        .map_err(|_| self.bad(Code::BadAttachPart, part, format!("too large for {what}")))
                };
                let line = small(line, "a line number")?;
                let column = column.first().map(|column| small(column, "a column")).transpose()?;
                let site = Site::Line { file: self.plain(file)?, line, column };
                self.no_offset(&site, file)?;
                target(binary, false, site)
            }
            [binary, part] => {
                let site = self.site(part)?;
                self.no_offset(&site, part)?;
                target(binary, false, site)
            }
            [part] => {
                let site = self.site(part)?;
                self.no_offset(&site, part)?;
                Ok(AttachTarget::Uprobe { ret, binary: self.implied(), cpp: false, site })
            }
            [binary, language, part] if language.text == b"cpp" => {
                target(binary, true, Site::Function { name: self.filled(part)?, offset: 0 })
            }
            [_, language, _] if language.text != b"@" => {
                let problem = *self.bad(
                    Code::BadAttachPart,
                    language,
                    format!("unknown language `{}`", language.lossy()),
                );
                Err(Box::new(problem.with_hint("`cpp` is the only one; quote names that hold a `:`")))
            }
            _ => Err(self.wrong_parts(parts.len())),
        }
    }

    /// The binary of an attach point that names none: that of the traced process.
    fn implied(&self) -> Part {
        Part { text: Vec::new(), span: self.span }
    }

    fn watchpoint(&self, address: &Part, length: &Part, mode: &Part) -> Result<AttachTarget> {
        let bytes = self.number(length, "a length")?;
        if !matches!(bytes, 1 | 2 | 4 | 8) {
            return Err(self.bad(Code::BadAttachPart, length, "a watchpoint covers 1, 2, 4 or 8 bytes"));
        }
        let address = self.number(address, "an address")?;
        let mut parsed = WatchMode::default();
        for letter in &mode.text {
            let flag = match letter {
                b'r' => &mut parsed.read,
                b'w' => &mut parsed.write,
                b'x' => &mut parsed.execute,
                _ => {
                    return Err(self.bad(
                        Code::BadAttachPart,
                        mode,
                        "a mode is made of the letters r, w and x",
                    ));
                }
            };
            if std::mem::replace(flag, true) {
                return Err(self.bad(Code::BadAttachPart, mode, "a letter of the mode occurs twice"));
            }
        }
        if mode.text.is_empty() {
            return Err(self.bad(Code::BadAttachPart, mode, "the mode is missing"));
        }
        Ok(AttachTarget::Watchpoint { address, length: bytes, mode: parsed })
    }

    fn iterator(&self, name: &Part, pin: Option<&Part>) -> Result<AttachTarget> {
        let pin = pin.map(|pin| self.filled(pin)).transpose()?;
        Ok(AttachTarget::Iter { name: self.plain(name)?, pin })
    }
}

/// An attach point has too few or too many parts.
#[must_use]
pub fn wrong_parts(kind: ProbeKind, found: usize, span: Span) -> Box<Diagnostic> {
    let row = kind.row();
    let (least, most) = row.parts;
    let count = if least == most { format!("{least}") } else { format!("{least} to {most}") };
    let plural = if most == 1 { "" } else { "s" };
    let message = format!("`{}` takes {count} part{plural} after its name, found {found}", row.name);
    let forms = row.forms.iter().map(|form| format!("`{form}`")).collect::<Vec<_>>().join(", ");
    Box::new(Diagnostic::error(Code::AttachPointParts, span, message).with_hint(format!("write {forms}")))
}
