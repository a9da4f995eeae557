//! stub until the generated names arrive
pub fn bugcheck_name(_: u32) -> Option<&'static str> {
    None
}
pub fn is_live_dump(_: u32) -> bool {
    false
}
pub fn exception_name(_: u32) -> Option<&'static str> {
    None
}
