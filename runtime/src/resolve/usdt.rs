//! Static probes in user code.
//!
//! A binary lists its static probes in the notes of `.note.stapsdt`: for each place the code's address, the address of
//! the semaphore that says whether somebody looks (0 without one), and the names. A probe that the compiler copied into
//! several functions has several places.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use btaot_abi::arch::Arch;
use btaot_abi::metadata::{Usdt, has_wildcard};
use btaot_abi::operand::OperandTable;
use btaot_abi::pattern;

use super::binary::{Binary, Cache, StaticProbe};
use super::operand::{Surroundings, operand};
use super::paths::Paths;
use super::{Found, Place, Reason, Site, UserPlace};

/// Finds all static probes that an attach point means.
pub fn places(
    cache: &mut Cache,
    paths: &Paths,
    usdt: &Usdt,
    operands: Option<&OperandTable>,
) -> Result<Vec<Found>, Reason> {
    let binaries = paths.find(&usdt.path);
    if binaries.is_empty() {
        return Err(if usdt.path.is_empty() { Reason::NoProcess } else { Reason::NoBinary });
    }
    let mut found = Vec::new();
    let mut problem = None;
    for (shown, path) in binaries {
        match cache.open(&path).and_then(|binary| in_binary(&binary, &shown, usdt, operands)) {
            Ok(places) => found.extend(places),
            // A pattern may match files that are no binaries, or that lack the probe.
            Err(reason) if has_wildcard(&usdt.path) => problem = Some(reason),
            Err(reason) => return Err(reason),
        }
    }
    match problem {
        Some(_) if found.is_empty() && *usdt.path == *b"*" => Err(Reason::NowhereMapped),
        Some(problem) if found.is_empty() => Err(problem),
        _ => Ok(found),
    }
}

fn in_binary(
    binary: &Binary,
    shown: &[u8],
    usdt: &Usdt,
    operands: Option<&OperandTable>,
) -> Result<Vec<Found>, Reason> {
    let path = CString::new(binary.holder().as_os_str().as_bytes()).map_err(|_| Reason::Nul)?;
    let any = usdt.provider.as_ref().is_none_or(|provider| provider.is_empty());
    let wanted = |probe: &StaticProbe| {
        let provider = usdt.provider.as_deref().unwrap_or_default();
        (any || pattern::matches(provider, &probe.provider)) && pattern::matches(&usdt.name, &probe.name)
    };
    let mut probes: Vec<StaticProbe> = binary.static_probes()?.into_iter().filter(wanted).collect();
    probes.sort();
    let mut found: Vec<Found> = Vec::new();
    for probe in probes {
        let operands = match operands {
            Some(table) => operand_rows(binary, &probe, table)?,
            None => Vec::new(),
        };
        let StaticProbe { provider, name, address, semaphore, .. } = probe;
        let semaphore = if semaphore == 0 { 0 } else { binary.file_offset(semaphore)? };
        let offset = binary.file_offset(address)?;
        let site = Site { place: UserPlace { path: path.clone(), offset, ret: false, semaphore }, operands };
        let text = [b"usdt:", shown, b":", &provider, b":", &name].concat();
        match found.last_mut() {
            Some(Found { name, place: Place::Usdt(sites), .. }) if **name == *text => sites.push(site),
            _ => {
                let place = Place::Usdt(vec![site]);
                found.push(Found { name: text.into(), function: name.into(), place });
            }
        }
    }
    if found.is_empty() { Err(Reason::NoStaticProbe { path: binary.path().to_owned() }) } else { Ok(found) }
}

/// Where the arguments are, at one site, that a program reads.
fn operand_rows(binary: &Binary, probe: &StaticProbe, table: &OperandTable) -> Result<Vec<u64>, Reason> {
    let arch = binary.arch().unwrap_or(Arch::host());
    let symbol = |name: &[u8]| binary.symbol_address(name);
    let around = Surroundings { arch, site: probe.address, symbol: &symbol };
    let row = |number: &u32| {
        let found = operand(&probe.arguments, *number, &around);
        found.map(|operand| operand.words()).map_err(|problem| Reason::Operand {
            path: binary.path().to_owned(),
            probe: [&probe.provider[..], b":", &probe.name].concat().escape_ascii().to_string(),
            number: *number,
            problem,
        })
    };
    table.arguments.iter().map(row).collect::<Result<Vec<_>, _>>().map(|rows| rows.concat())
}

/// The types of the arguments of a static probe, in the language's terms; empty when there is no such probe.
pub fn argument_types(path: &Path, provider: &[u8], name: &[u8]) -> Vec<String> {
    let found = Cache::default().open(path).and_then(|binary| binary.static_probes()).unwrap_or_default();
    let probe = found.into_iter().find(|probe| probe.provider == provider && probe.name == name);
    probe.map(|probe| types(&probe.arguments)).unwrap_or_default()
}

/// Each argument is `SIZE@PLACE`: a negative size says that it has a sign, an `f` that it is a floating-point number.
fn types(arguments: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(arguments);
    let sizes = text.split_whitespace().filter_map(|word| word.split_once('@')).map(|(size, _)| size);
    let name = |size: &str| {
        let bits = |size: &str| size.parse::<u32>().map_or(64, |bytes| bytes * 8);
        match (size.strip_suffix('f'), size.strip_prefix('-')) {
            (Some(size), _) => format!("float{}", bits(size.trim_start_matches('-'))),
            (None, Some(size)) => format!("int{}", bits(size)),
            (None, None) => format!("uint{}", bits(size)),
        }
    };
    sizes.map(name).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_of_arguments_have_names() {
        let types = super::types(b"-4@%edi 8@8(%rsp) -1@$-3 1@%al 8f@%xmm0 8@[sp, 16]");
        assert_eq!(types, ["int32", "uint64", "int8", "uint8", "float64", "uint64"]);
        assert_eq!(super::types(b""), [""; 0]);
    }
}
