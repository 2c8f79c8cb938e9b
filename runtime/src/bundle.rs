//! Opens the payload that this program carries, or that another file carries.

use btaot_abi::arch::Arch;
use btaot_abi::bundle::{Bundle, BundleError, MAGIC, SectionKind};
use btaot_abi::metadata::Metadata;
use thiserror::Error;

use crate::sys::image::segments;

/// Why the payload cannot be used.
#[derive(Debug, Error)]
pub enum OpenError {
    /// It is missing, cut off, damaged or of another kind.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The metadata is not as this program writes it.
    #[error("the tool's metadata is not readable ({0}); compile the script again")]
    Metadata(String),
}

/// A script in the form that runs.
#[derive(Debug)]
pub struct Script<'a> {
    /// What bytecode does not say.
    pub metadata: Metadata,
    /// The eBPF object.
    pub object: &'a [u8],
    /// Native code of the same programs, where the kernel mapped it.
    pub native: Option<&'static [u8]>,
    /// Text of the script, if it is there.
    pub source: Option<&'a [u8]>,
}

/// Opens the payload of the running program.
///
/// # Errors
/// See [`OpenError`]; each says what to do.
pub fn own_script() -> Result<Script<'static>, OpenError> {
    let (payload, cut) = segments(&MAGIC).into_iter().next().ok_or(BundleError::Missing)?;
    if cut {
        return Err(BundleError::Truncated { what: "payload" }.into());
    }
    let mut script = open(payload)?;
    script.native = Bundle::open(payload, Arch::host())?.section(SectionKind::Native);
    Ok(script)
}

/// Opens a payload.
///
/// # Errors
/// See [`OpenError`].
pub fn open(payload: &[u8]) -> Result<Script<'_>, OpenError> {
    let bundle = Bundle::open(payload, Arch::host())?;
    let section =
        |kind: SectionKind| bundle.section(kind).ok_or(BundleError::Truncated { what: kind.elf_name() });
    let metadata = Metadata::from_json(section(SectionKind::Metadata)?);
    Ok(Script {
        metadata: metadata.map_err(|error| OpenError::Metadata(error.to_string()))?,
        object: section(SectionKind::Bpf)?,
        native: None,
        source: bundle.section(SectionKind::Source),
    })
}
