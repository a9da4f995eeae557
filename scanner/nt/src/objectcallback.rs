//! Routines for handles to objects of a type, registered with `ObRegisterCallbacks`.
//!
//! The entries of `_OBJECT_TYPE.CallbackList` are in no PDB. Public write-ups agree on them: list, operations, active,
//! registration, type, routine before, routine after. Each names the type that it belongs to, and one that names
//! another is not believed.

use crate::{System, callback::Callback, layout, object::Type};
use memory::Va;
use symbols::Field;

layout! {
    /// `_OBJECT_TYPE`, the part that holds the list.
    ObjectTypeCallbacks = "_OBJECT_TYPE" {
        list ? "CallbackList",
    }
}

/// Every object callback, type by type: one for the routine before, one for the routine after.
pub(crate) fn all(system: &System) -> Vec<Callback> {
    let Some(list) = ObjectTypeCallbacks::of(system).list else { return Vec::new() };
    let mut found = Vec::new();
    for (_, of_type) in system.object_types() {
        let Some(head) = of_type.va.checked_add(list.offset.into()) else { continue };
        let first = system.space.pointer(head);
        let lacks = || system.small_dump_lacks("_OBJECT_TYPE", "CallbackList");
        if first == Ok(head) || first.is_err() && lacks() {
            continue;
        }
        let entries = system.list(system.space, head, "_OBJECT_TYPE.CallbackList").entries;
        found.extend((0..).zip(entries).flat_map(|(slot, at)| pair(system, of_type, slot, at)));
    }
    found
}

fn pair(system: &System, of_type: &Type, slot: u32, entry: Va) -> Vec<Callback> {
    let view = system.view(entry, 0);
    let width = system.pointer_size();
    // Behind the list two integers of 32 bits, then pointers.
    let pointer =
        |index: u32| view.pointer(Some(Field { offset: (2 + index) * width + 8, size: width, bits: None }));
    let operations = view.u32(Some(Field { offset: 2 * width, size: 4, bits: None }));
    let source = "_OBJECT_TYPE.CallbackList";
    let object_type = Some(of_type.name.clone());
    let empty = Callback { source, slot, entry, object_type, operations, ..Callback::default() };
    if pointer(1) != Some(of_type.va) {
        let found = pointer(1).map_or("none".into(), |va| va.to_string());
        system.problem("bad_entry", source, "ObjectType", Some(entry), "the type that has the list", &found);
        return vec![Callback { kind: "object before", operations: None, ..empty }];
    }
    // Version and count, context, altitude.
    let name =
        pointer(0).and_then(|registration| system.unicode(registration.checked_add(2 * u64::from(width))?));
    let routines = [("object before", pointer(2)), ("object after", pointer(3))];
    let given = routines.into_iter().filter(|(_, routine)| routine.is_some());
    given.map(|(kind, routine)| Callback { kind, routine, name: name.clone(), ..empty.clone() }).collect()
}
