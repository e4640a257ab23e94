//! `deepcuts-ears`: reads requests on stdin, answers on stdout.

fn main() {}
