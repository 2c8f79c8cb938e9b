//! Which copies of programs are needed.
//!
//! A program that reads a tracepoint's record, or a function's arguments, is relocated against one layout of them. The
//! layouts of several matches may differ, and then the program is loaded once for each. A program that traces
//! functions is loaded once for each of them in any case. All copies of one *variant* come from one relocation of the
//! object.

use std::collections::BTreeSet;

use btaot_abi::constants::IntSource;
use btaot_abi::features::KernelFeature;
use btaot_abi::ids::ProgramId;
use btaot_abi::metadata::{Identity, Metadata, Program, ProgramKind, TracepointArgs};
use btaot_btf::{Btf, MiniBtf};

use crate::features::Features;
use crate::resolve::{Place, Probe};
use crate::tracefs::FormatField;

/// Copies of programs that agree about the layouts of structures.
#[derive(Debug, Default)]
pub struct Variant<'m> {
    layouts: Vec<Layout<'m>>,
    /// The copies; several of a program only if nothing but the function that they are loaded for tells them apart.
    pub copies: Vec<Copy>,
    /// Whether a program of it was given copies because this kernel does not tell it the probe.
    is_apart: bool,
}

/// A copy of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Index of the program in the metadata.
    pub program: usize,
    /// Numbers of the probes it serves; of a static probe, just the sites with these operands.
    pub probes: Vec<u32>,
    /// Where the arguments of static probes are that the program reads.
    pub operands: Vec<u64>,
}

/// A structure as a tracepoint or function has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Layout<'m> {
    structure: &'m str,
    fields: Vec<FormatField>,
}

impl Variant<'_> {
    /// Adds the structures of this variant to the kernel's types. `local` is the object's own BTF, whose
    /// types of the fields were checked to have the target's sizes.
    pub fn describe(&self, types: &mut MiniBtf, local: &Btf<'_>) {
        for layout in &self.layouts {
            let end = |field: &FormatField| field.offset.saturating_add(field.size);
            let size = layout.fields.iter().map(end).max().unwrap_or(0);
            types.add_moved(local, layout.structure, size, |name| {
                layout.fields.iter().find(|field| field.name == name).map(|field| field.offset)
            });
        }
    }

    /// The section of operands as the copies of this variant see it.
    pub fn operands(&self, metadata: &Metadata) -> Vec<u8> {
        let mut section = Vec::new();
        for copy in &self.copies {
            let Some(table) = &metadata.programs[copy.program].operands else { continue };
            let start = table.offset as usize;
            let end = start + 8 * copy.operands.len();
            section.resize(section.len().max(end), 0);
            for (place, word) in section[start..end].chunks_exact_mut(8).zip(&copy.operands) {
                place.copy_from_slice(&word.to_ne_bytes());
            }
        }
        section
    }

    /// The probe numbers that its programs find in ConstantData, by slot; none when those of all variants are right.
    pub fn probe_numbers(&self, metadata: &Metadata, probes: &[Probe]) -> Vec<(usize, u64)> {
        if !self.is_apart {
            return Vec::new();
        }
        let slots = metadata.constants.ints.iter().enumerate();
        let number = |program: ProgramId| {
            let copy = self.copies.iter().find(|copy| copy.program == program.index())?;
            let probe = probes.get(*copy.probes.first()? as usize)?;
            Some(u64::from(probe.identity))
        };
        let numbers = slots.filter_map(|(index, slot)| match slot.source {
            IntSource::ProbeId(program) => Some((index, number(program)?)),
            _ => None,
        });
        numbers.collect()
    }

    /// Whether the variant has structures of its own.
    pub fn has_layouts(&self) -> bool {
        !self.layouts.is_empty()
    }
}

/// What makes probes need a copy of their own.
type Key<'m, 'p> = (Option<Layout<'m>>, &'p [u64], Option<u32>);

/// Distributes probes to copies of their programs: one for each layout and each set of operands, and one for each
/// probe of a program that is not told which one it runs for.
pub fn plan<'m>(metadata: &'m Metadata, probes: &[Probe], features: &Features) -> Vec<Variant<'m>> {
    let mut variants: Vec<Variant<'m>> = vec![Variant::default()];
    for (index, program) in metadata.programs.iter().enumerate() {
        let own = (0u32..).zip(probes).filter(|(_, probe)| probe.program.index() == index);
        let mut groups: Vec<(Key<'m, '_>, Vec<u32>)> = Vec::new();
        let is_apart = own.clone().nth(1).is_some() && !is_told(program, features);
        for (number, probe) in own {
            let layout = program.tracepoint.as_ref().and_then(|args| layout(args, probe));
            for operands in operands(probe) {
                let is_alone = is_apart || matches!(probe.place, Place::Function(_));
                let key = (layout.clone(), operands, is_alone.then_some(number));
                match groups.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, numbers)) => numbers.push(number),
                    None => groups.push((key, vec![number])),
                }
            }
        }
        for ((layout, operands, _), probes) in groups {
            let copy = Copy { program: index, probes, operands: operands.to_vec() };
            add(&mut variants, layout, copy, is_apart).is_apart |= is_apart;
        }
    }
    variants
}

/// Whether a program learns which probe it runs for though it serves several, or does not ask.
fn is_told(program: &Program, features: &Features) -> bool {
    let kind = program.attach.first().map(|point| point.target.program_kind());
    match (program.identity, kind) {
        (Identity::Unused | Identity::Constant, _) | (_, None | Some(ProgramKind::TestRun)) => true,
        (_, Some(ProgramKind::RawTracepoint)) => features.has(KernelFeature::RawTracepointCookie),
        (_, Some(ProgramKind::Tracing)) => false,
        _ => features.has(KernelFeature::AttachCookie),
    }
}

/// The layout of the fields that a program reads.
fn layout<'m>(args: &'m TracepointArgs, probe: &Probe) -> Option<Layout<'m>> {
    let fields = match &probe.place {
        Place::Tracepoint { format } => &format.fields,
        Place::RawTracepoint { arguments, .. } => arguments,
        Place::Function(function) => &function.arguments,
        _ => return None,
    };
    let wanted = |field: &&FormatField| args.fields.iter().any(|wanted| wanted.name == field.name);
    let fields = fields.iter().filter(wanted).cloned().collect();
    Some(Layout { structure: &args.structure, fields })
}

/// The different operands of a static probe's sites; other probes have one place, without operands.
fn operands(probe: &Probe) -> BTreeSet<&[u64]> {
    match &probe.place {
        Place::Usdt(sites) => sites.iter().map(|site| &site.operands[..]).collect(),
        _ => BTreeSet::from([&[][..]]),
    }
}

/// Adds a copy to the first variant that does not contradict. A copy with operands or with a probe number of its own
/// goes with no other one of its program.
fn add<'m, 'v>(
    variants: &'v mut Vec<Variant<'m>>,
    layout: Option<Layout<'m>>,
    copy: Copy,
    is_apart: bool,
) -> &'v mut Variant<'m> {
    let fits = |variant: &Variant<'m>| {
        let is_plain = !is_apart && copy.operands.is_empty();
        let is_new = is_plain || variant.copies.iter().all(|other| other.program != copy.program);
        let contradicts = |known: &Layout<'m>, new: &Layout<'m>| {
            known.structure == new.structure && known.fields != new.fields
        };
        is_new
            && !variant.layouts.iter().any(|known| layout.as_ref().is_some_and(|new| contradicts(known, new)))
    };
    let index = variants.iter().position(fits).unwrap_or_else(|| {
        variants.push(Variant::default());
        variants.len() - 1
    });
    let variant = &mut variants[index];
    variant.copies.push(copy);
    if let Some(layout) = layout
        && !variant.layouts.contains(&layout)
    {
        variant.layouts.push(layout);
    }
    variant
}
