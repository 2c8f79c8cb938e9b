//! What `-v` says of the ways that a tool takes on this kernel, besides those of attaching.

use btaot_abi::constants::IntSource;
use btaot_abi::features::KernelFeature;
use btaot_abi::metadata::{Map, MapValue, Metadata, Storage};

use crate::features::Features;
use crate::kernel_btf;

/// One line for each choice that programs make by a feature of the kernel, for each helper that the script cannot do
/// without, and for each map of the script.
pub fn choices(metadata: &Metadata, features: &Features) -> Vec<String> {
    let sources = metadata.constants.ints.iter().map(|slot| &slot.source);
    let asked = sources.filter_map(|source| match source {
        IntSource::Feature(feature) => Some(choice(*feature, features.has(*feature))),
        _ => None,
    });
    let script = metadata.script.display();
    let needs = metadata
        .needs
        .iter()
        .map(|need| format!("helper bpf_{}: {} ({script}:{})", need.name, need.what, need.location.line));
    let needs_types = !metadata.core.roots.is_empty() || !metadata.core.checks.is_empty();
    let types = needs_types.then(|| {
        let way = if kernel_btf::is_mapped() { "mapped" } else { "read" };
        format!("types: the kernel's BTF is {way}")
    });
    let maps = metadata.maps.iter().map(|map| format!("keep {}: {}", map.name.display(), storage(map)));
    asked.chain(types).chain(needs).chain(maps).collect()
}

/// What programs do for having a feature, or lacking it.
fn choice(feature: KernelFeature, has: bool) -> String {
    let (with, without) = match feature {
        KernelFeature::Atomics => (
            "instructions that exchange, and that add and give the old value",
            "plain reads and writes instead",
        ),
        KernelFeature::AttachCookie | KernelFeature::RawTracepointCookie => {
            ("programs ask for the cookie of their probe", "programs have a copy for each probe")
        }
        KernelFeature::TaiClock => (
            "nsecs(tai) is the kernel's",
            "nsecs(tai) is the time since boot and a distance found at the start",
        ),
        KernelFeature::UprobeMulti
        | KernelFeature::KprobeMulti
        | KernelFeature::PerfLink
        | KernelFeature::MapLookupPercpuElem => ("used", "not used"),
    };
    format!("{}: {}", feature.row().name, if has { with } else { without })
}

/// Where a map has its contents.
fn storage(map: &Map) -> String {
    let is_aggregation = matches!(map.value, MapValue::Aggregate(_));
    match &map.storage {
        Storage::Global { .. } => "a variable in memory that the tool shares with its programs".to_owned(),
        Storage::CpuRows { row, .. } => format!("an array with a row of {row} bytes for each CPU"),
        Storage::Hash { per_cpu: true, max_entries, .. } => {
            format!("a hash table for {max_entries} keys with values for each CPU, summed when it is read")
        }
        Storage::Hash { max_entries, .. } if is_aggregation => {
            format!("a hash table for {max_entries} keys with values that all CPUs add to")
        }
        Storage::Hash { max_entries, .. } => format!("a hash table for {max_entries} keys"),
    }
}
