//! Raw BTF: scanning, split BTF, and the mini-BTF writer.
