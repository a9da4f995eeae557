//! Declaring which members of a structure are read.

/// Declares a structure of Windows by Microsoft's names. `name: "Member"` is a member that every kernel has: when a
/// layout lacks it, `faults` says so. `name ? "Member"` is one that some builds lack. `"A" | "B"` are names of one
/// thing in different builds; a name may be a path through structures by value, such as `"Tcb.State"`.
///
/// The value has an `Option<Field>` for each member; [`View`](crate::View) reads them.
#[macro_export]
macro_rules! layout {
    (
        $(#[$doc:meta])*
        $name:ident = $first_type:literal $(| $other_type:literal)* {
            $( $(#[$field_doc:meta])* $field:ident $mark:tt $path:literal $(| $other:literal)* ),* $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default)]
        #[allow(dead_code)] // not every reader needs the size
        pub struct $name {
            /// Size of the structure in bytes, 0 when it is not known.
            pub size: u32,
            $( $(#[$field_doc])* pub $field: Option<$crate::symbols::Field>, )*
        }

        impl $name {
            const FIELDS: &'static [&'static str] = &[$( $path, $($other,)* )*];

            /// What a layout source should know of it.
            pub const WANTED: &'static [$crate::symbols::WantedType] = &[
                $crate::symbols::WantedType { name: $first_type, fields: Self::FIELDS },
                $( $crate::symbols::WantedType { name: $other_type, fields: Self::FIELDS }, )*
            ];

            /// The members in this system's kernel.
            pub fn of(system: &$crate::System) -> $name {
                let name = system.type_name(&[$first_type, $($other_type),*]);
                $name {
                    size: system.size_of(name),
                    $( $field: system.field(name, &[$path, $($other),*], stringify!($mark) == "?"), )*
                }
            }
        }
    };
}
