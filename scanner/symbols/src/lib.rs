//! What is this field's offset, where is this variable? Layouts and symbols from a PDB, from a volatility3 ISF file,
//! or from the pack that ships inside the binary.
//!
//! Every source is read into a [`Profile`] (all that it states). Whoever reads memory declares what it wants
//! ([`Wanted`]) and gets [`Layouts`]: the wanted fields with their offsets, flattened. The pack holds nothing but
//! such flattened layouts, so a dump is read the same way whatever the source was. This crate never sees a dump.

#![forbid(unsafe_code)]

pub mod collect;
mod error;
mod identity;
pub mod isf;
mod layouts;
mod library;
mod names;
pub mod pack;
pub mod pdb;
mod profile;
mod provider;
pub mod store;
mod xz;

pub use error::{Error, Result};
pub use identity::PdbId;
pub use layouts::{Field, Layout, Layouts, Wanted, WantedType};
pub use library::Library;
pub use names::Names;
pub use pdb::frames::{FrameData, FrameKind, Frames};
pub use pdb::source::{Inlined, Line, Place};
pub use profile::{Kind, Member, Profile, Type};
pub use provider::{Choice, NoSymbols, OneProfile, Provider, Wish};
