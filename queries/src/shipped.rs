//! The SQL files that `queries` ships: one list a folder.

/// `NAME: Type in "folder", called "prefix" { word ... }` makes the list of the files `folder/word.sql`.
macro_rules! shipped {
    ($(#[$doc:meta])* $list:ident: $type:ident in $folder:literal, called $prefix:literal { $($word:ident)* }) => {
        $(#[$doc])*
        pub const $list: &[$type] = &[$($type {
            name: concat!($prefix, stringify!($word)),
            sql: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $folder, "/", stringify!($word), ".sql")),
        }),*];
    };
}

pub(crate) use shipped;
