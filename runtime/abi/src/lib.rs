//! What the compiler and the runtime of btaot agree on.
