//! Many dumps, one lake: the processes that convert, and who gives them what to do.
//!
//! ```text
//! task.rs    what is said between the processes     worker.rs  a worker from inside
//! crew.rs    all workers from outside               child.rs   one worker as a process
//! limits.rs  time and memory                    scratch.rs where members of archives and copies lie
//! copy.rs    copies of dumps
//! ```

mod child;
pub mod copy;
mod crew;
mod limits;
mod scratch;
mod task;
pub mod worker;

pub use crew::{Crew, INTERRUPTED};
pub use limits::Limits;
pub use scratch::Scratch;
pub use task::{Answer, Ended, File, Origin, Stamp, Status, Task};
