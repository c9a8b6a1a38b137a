//! In the place of PC/SC, if the program is built without it.

use std::time::Duration;

use super::{Limits, LinkError, Reader, StopRequest, Transport};

fn absent() -> LinkError {
    LinkError::Service("this program was built without PC/SC (cargo feature `pcsc`)".into())
}

pub fn readers() -> Result<Vec<Reader>, LinkError> {
    Err(absent())
}

#[derive(Default)]
pub struct Watcher;

impl Watcher {
    pub fn next(&mut self, _wait: Duration) -> Result<Option<Vec<Reader>>, LinkError> {
        Err(absent())
    }
}

pub fn wait_for_card(_name: &str, _wait: Duration, _stop: &StopRequest) -> Result<(), LinkError> {
    Err(absent())
}

pub struct Service;

impl Service {
    pub fn open() -> Result<Self, LinkError> {
        Err(absent())
    }

    pub fn readers(&self) -> Result<Vec<Reader>, LinkError> {
        Err(absent())
    }
}

pub fn connect(_name: &str, _limits: Limits, _service: Option<Service>) -> Result<Box<dyn Transport>, LinkError> {
    Err(absent())
}
