//! From the typed Program to eBPF and to the bundle.
