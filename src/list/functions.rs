//! What functions of programs take, from their debugging information.

use std::collections::BTreeMap;

use btaot_abi::Bytes;
use btaot_abi::metadata::Place;
use btaot_btf::Btf;
use btaot_semantic::Target;
use btaot_semantic::target::UserPrototypes;

use super::types::Kernel;

/// Stands before the name of a C++ function.
const CPP: &str = "cpp:";

/// The functions of the listed probes, by program: each program is read once.
pub struct Functions {
    programs: BTreeMap<String, UserPrototypes>,
}

impl Functions {
    /// Looks for the functions of uprobes.
    pub fn of(probes: &[String]) -> Self {
        let mut places: BTreeMap<String, Vec<Place>> = BTreeMap::new();
        for probe in probes {
            let Some((path, _)) = probe.strip_prefix("uprobe:").and_then(|rest| rest.split_once(':')) else {
                continue;
            };
            places.entry(path.to_owned()).or_default().push(place(function_name(probe)));
        }
        let target = Target::live();
        let read = |(path, places): (String, Vec<Place>)| {
            Some((path.clone(), target.user_prototypes(path.as_bytes(), &places)?))
        };
        Self { programs: places.into_iter().filter_map(read).collect() }
    }

    /// The parameters of a function, a line each: type and name.
    pub fn arguments(&self, path: &str, function: &str) -> Vec<String> {
        let name = function.strip_prefix(CPP).unwrap_or(function).as_bytes();
        let read = || {
            let program = self.programs.get(path)?;
            let is_meant = |names: &[Bytes]| names.iter().any(|known| **known == *name);
            let (_, prototype) = program.functions.iter().find(|(names, _)| is_meant(names))?;
            let types = Kernel { btf: Btf::scan(&program.btf, None).ok()? };
            let (parameters, _) = types.btf.prototype(*prototype)?;
            // The kernel's lists have a space before the star, those of programs have none.
            let line = |name: &str, ty| format!("{} {name}", types.type_name(ty).replacen(" *", "*", 1));
            Some(parameters.map(|parameter| line(parameter.name, parameter.ty)).collect())
        };
        read().unwrap_or_default()
    }
}

/// What stands behind the path in a uprobe's name; names of C++ functions have colons of their own.
pub fn function_name(probe: &str) -> &str {
    probe.splitn(3, ':').nth(2).unwrap_or_default()
}

fn place(function: &str) -> Place {
    match function.strip_prefix(CPP) {
        Some(name) => Place::Demangled(Bytes::from(name)),
        None => Place::Symbol { name: Bytes::from(function), offset: 0 },
    }
}
