//! Names of C++ and Rust functions as their authors wrote them.

use std::borrow::Cow;

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
    let symbol = cpp_demangle::Symbol::new(name).ok();
    symbol.and_then(|symbol| symbol.demangle().ok()).map_or(Cow::Borrowed(name), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::demangle;

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
