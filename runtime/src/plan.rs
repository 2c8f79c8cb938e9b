//! Which copies of programs are needed.
//!
//! A program that reads a tracepoint's record is relocated against one layout of it. The layouts of several
//! matches may differ, and then the program is loaded once for each. All copies of one *variant* come from
//! one relocation of the object.

use btaot_abi::metadata::{Metadata, TracepointArgs};
use btaot_btf::{Btf, MiniBtf};

use crate::resolve::{Place, Probe};
use crate::tracefs::FormatField;

/// Copies of programs that agree about the layouts of structures.
#[derive(Debug, Default)]
pub struct Variant<'m> {
    layouts: Vec<Layout<'m>>,
    /// Programs (as indices into the metadata) with the numbers of the probes they serve.
    pub copies: Vec<(usize, Vec<u32>)>,
}

/// A structure as a tracepoint has it.
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

    /// Whether the variant has structures of its own.
    pub fn has_layouts(&self) -> bool {
        !self.layouts.is_empty()
    }
}

/// Distributes probes to copies of their programs.
pub fn plan<'m>(metadata: &'m Metadata, probes: &[Probe]) -> Vec<Variant<'m>> {
    let mut variants: Vec<Variant<'m>> = vec![Variant::default()];
    for (index, program) in metadata.programs.iter().enumerate() {
        let own = (0u32..).zip(probes).filter(|(_, probe)| probe.program.index() == index);
        let mut groups: Vec<(Option<Layout<'m>>, Vec<u32>)> = Vec::new();
        for (number, probe) in own {
            let layout = program.tracepoint.as_ref().and_then(|args| layout(args, probe));
            match groups.iter_mut().find(|(known, _)| *known == layout) {
                Some((_, numbers)) => numbers.push(number),
                None => groups.push((layout, vec![number])),
            }
        }
        for (layout, numbers) in groups {
            add(&mut variants, index, layout, numbers);
        }
    }
    variants
}

/// The layout of the fields that a program reads.
fn layout<'m>(args: &'m TracepointArgs, probe: &Probe) -> Option<Layout<'m>> {
    let Place::Tracepoint { format } = &probe.place else { return None };
    let wanted = |field: &&FormatField| args.fields.iter().any(|wanted| wanted.name == field.name);
    let fields = format.fields.iter().filter(wanted).cloned().collect();
    Some(Layout { structure: &args.structure, fields })
}

/// Adds a copy to the first variant that does not have this program yet and does not contradict.
fn add<'m>(variants: &mut Vec<Variant<'m>>, program: usize, layout: Option<Layout<'m>>, probes: Vec<u32>) {
    let fits = |variant: &Variant<'m>| {
        let is_new = variant.copies.iter().all(|(other, _)| *other != program);
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
    variant.copies.push((program, probes));
    if let Some(layout) = layout
        && !variant.layouts.contains(&layout)
    {
        variant.layouts.push(layout);
    }
}
