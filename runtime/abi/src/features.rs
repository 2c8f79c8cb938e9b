//! Kernel features that decide between ways of doing one thing.

use serde::{Deserialize, Serialize};

/// A feature that some supported kernels lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KernelFeature {
    /// One link for many uprobes (`BPF_TRACE_UPROBE_MULTI`).
    UprobeMulti,
    /// One link for many kprobes (`BPF_TRACE_KPROBE_MULTI`).
    KprobeMulti,
    /// Helper `bpf_get_attach_cookie`.
    AttachCookie,
    /// BPF links over perf events.
    PerfLink,
    /// Helper `bpf_map_lookup_percpu_elem`.
    MapLookupPercpuElem,
    /// Atomic instructions other than an addition without result: compare-exchange, exchange, and, or, xor.
    Atomics,
    /// Helper `bpf_ktime_get_tai_ns`.
    TaiClock,
    /// Cookies of raw tracepoints.
    RawTracepointCookie,
}

/// What is to be said of one feature.
pub struct FeatureRow {
    /// The feature.
    pub feature: KernelFeature,
    /// Its name on the command line.
    pub name: &'static str,
    /// The first kernel release that has it.
    pub since: (u32, u32),
    /// What it is for, in one line.
    pub doc: &'static str,
}

/// All features, in the order of the enum.
pub const FEATURES: &[FeatureRow] = &[
    FeatureRow {
        feature: KernelFeature::UprobeMulti,
        name: "uprobe_multi",
        since: (6, 6),
        doc: "attach one program to many user functions with one link",
    },
    FeatureRow {
        feature: KernelFeature::KprobeMulti,
        name: "kprobe_multi",
        since: (5, 18),
        doc: "attach one program to many kernel functions with one link",
    },
    FeatureRow {
        feature: KernelFeature::AttachCookie,
        name: "attach_cookie",
        since: (5, 15),
        doc: "tell the attach points of one program apart by a cookie",
    },
    FeatureRow {
        feature: KernelFeature::PerfLink,
        name: "perf_link",
        since: (5, 15),
        doc: "attach to perf events by a link instead of an ioctl",
    },
    FeatureRow {
        feature: KernelFeature::MapLookupPercpuElem,
        name: "map_lookup_percpu_elem",
        since: (5, 19),
        doc: "read another CPU's value of a per-CPU map from a probe",
    },
    FeatureRow {
        feature: KernelFeature::Atomics,
        name: "atomics",
        since: (5, 12),
        doc: "compare and exchange memory in one instruction, or add to it and get the old value",
    },
    FeatureRow {
        feature: KernelFeature::TaiClock,
        name: "tai_clock",
        since: (6, 1),
        doc: "read international atomic time instead of adding its distance to the time since boot",
    },
    FeatureRow {
        feature: KernelFeature::RawTracepointCookie,
        name: "raw_tracepoint_cookie",
        since: (6, 10),
        doc: "tell the raw tracepoints of one program apart by a cookie",
    },
];

impl KernelFeature {
    /// The row of this feature.
    pub fn row(self) -> &'static FeatureRow {
        &FEATURES[self as usize]
    }

    /// The feature with this command-line name.
    pub fn by_name(name: &str) -> Option<Self> {
        FEATURES.iter().find(|row| row.name == name).map(|row| row.feature)
    }
}

#[cfg(test)]
mod tests {
    use super::FEATURES;

    #[test]
    fn rows_stand_in_the_order_of_the_enum() {
        for (index, row) in FEATURES.iter().enumerate() {
            assert_eq!(row.feature as usize, index, "{}", row.name);
        }
    }
}
