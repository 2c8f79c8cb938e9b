//! Names of C++ and Rust functions as their authors wrote them.

use std::borrow::Cow;

use cpp_demangle::{DemangleOptions, Symbol};

/// The readable form of a mangled name; other names stay as they are. A C++ mangled name begins
/// with `_Z` (Itanium C++ ABI, 5.1.2), a Rust one with `_R` or, in the older form, `_ZN`. Without
/// the prefix a plain `f` would be the encoding of the type `float`.
pub fn demangle(name: &str) -> Cow<'_, str> {
    if !name.starts_with("_Z") && !name.starts_with("_R") {
        return Cow::Borrowed(name);
    }
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        // The alternate form leaves the hash out.
        return Cow::Owned(format!("{rust:#}"));
    }
    let symbol = Symbol::new(name).ok();
    symbol.and_then(|symbol| symbol.demangle().ok()).map_or(Cow::Borrowed(name), Cow::Owned)
}

/// What the user may call a C++ function: its name alone, with its parameters, and with its result, too, which only the
/// symbols of templates tell. Nothing for other names.
pub fn cpp_forms(name: &str) -> Vec<String> {
    let Ok(symbol) = Symbol::new(name) else { return Vec::new() };
    let options = DemangleOptions::new();
    let forms = [options.no_return_type().no_params(), options.no_return_type(), options];
    let mut forms: Vec<String> =
        forms.iter().filter_map(|options| symbol.demangle_with_options(options).ok()).collect();
    forms.dedup();
    forms
}

#[cfg(test)]
mod tests {
    use super::{cpp_forms, demangle};

    #[test]
    fn functions_have_short_and_long_names() {
        assert_eq!(cpp_forms("_ZN2ns3addEii"), ["ns::add", "ns::add(int, int)"]);
        assert_eq!(
            cpp_forms("_ZN2ns5twiceIiEET_S1_"),
            ["ns::twice<int>", "ns::twice<int>(int)", "int ns::twice<int>(int)"]
        );
        assert_eq!(cpp_forms("main"), [""; 0]);
    }

    #[test]
    fn only_mangled_names_change() {
        for (name, readable) in [
            ("f", "f"),
            ("main", "main"),
            ("_init", "_init"),
            ("_ZN2ns3Cls6methodEi", "ns::Cls::method(int)"),
            ("_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write"),
            ("_Znonsense", "_Znonsense"),
        ] {
            assert_eq!(demangle(name), readable);
        }
    }
}
