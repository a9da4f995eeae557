//! The one test binary of the whole house; crates test themselves in place.

mod house;
