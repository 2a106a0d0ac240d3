//! Tests of Kantoku as a whole: what its crates may know of each other, and its behaviour on real
//! servers.
