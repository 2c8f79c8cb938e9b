//! What values need besides their bytes to become text.

use btaot_abi::ids::StrftimeId;
use btaot_abi::metadata::Metadata;

use super::flags::AllocationFlags;
use super::time::{Calendar, TimeFormat};
use crate::symbols::Names;

/// Names, times and settings.
pub struct Context<'m> {
    /// Looks symbols, users and stacks up.
    pub names: Names<'m>,
    /// Follows text that was cut.
    pub trailer: &'m [u8],
    /// For text on its way to somewhere else, kept for its capacity.
    pub spare: Vec<u8>,
    formats: Vec<TimeFormat>,
    flags: Option<AllocationFlags>,
    calendar: Calendar,
    boot_time: i64,
    max_strlen: usize,
}

impl<'m> Context<'m> {
    /// Prepares the formats of the metadata. `boot_time` is the wall-clock time at boot, ns since 1970.
    pub fn new(metadata: &'m Metadata, names: Names<'m>, boot_time: i64) -> Self {
        Self {
            names,
            trailer: &metadata.config.str_trunc_trailer,
            spare: Vec::new(),
            formats: metadata.strftime.iter().map(|format| TimeFormat::parse(format)).collect(),
            flags: None,
            calendar: Calendar::default(),
            boot_time,
            max_strlen: metadata.config.max_strlen as usize,
        }
    }

    /// The names of this kernel's allocation flags, read when they are first needed.
    pub fn allocation_flags(&mut self) -> &AllocationFlags {
        self.flags.get_or_insert_with(AllocationFlags::of_this_kernel)
    }

    /// Appends a moment of the boot clock in a format of `strftime()`.
    pub fn timestamp(&mut self, out: &mut Vec<u8>, nanoseconds: u64, format: StrftimeId) {
        let wall = i128::from(nanoseconds) + i128::from(self.boot_time);
        if let Some(format) = self.formats.get(format.index()) {
            self.calendar.strftime(out, format, wall, self.max_strlen);
        }
    }

    /// Appends a moment of the wall clock (ns since 1970) with its date, to the nanosecond.
    pub fn moment(&mut self, out: &mut Vec<u8>, nanoseconds: u64) {
        let format = TimeFormat::parse(b"%Y-%m-%d %H:%M:%S.%k");
        self.wall_time(out, nanoseconds, &format);
    }

    /// Appends a moment of the wall clock (ns since 1970) in a format of `time()`, which is limited to 63
    /// bytes.
    pub fn wall_time(&mut self, out: &mut Vec<u8>, nanoseconds: u64, format: &TimeFormat) {
        self.calendar.strftime(out, format, i128::from(nanoseconds), 64);
    }
}
