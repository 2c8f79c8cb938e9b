//! The main program of every tool that btaot produces.

fn main() {}
