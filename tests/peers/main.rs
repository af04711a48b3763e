//! Defects that users of other libraries have met, each under the number of its public
//! thread, and what they have asked for. What others do is no reproach; it is where one looks
//! first.
//!
//! Not offered, so not tested: locks for several processes (liburing 1278, iceoryx2 47) and
//! priorities (tokio 3242).

#[path = "../common/mod.rs"]
mod common;

mod hangs;
mod losses;
mod namesake;
mod requests;
mod wakers;
