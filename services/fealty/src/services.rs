//! The services of the suite, and one of something for each of them.

use std::ops::{Index, IndexMut};

use clap::ValueEnum;
use sqlx::migrate::Migrator;

/// A service that has a section of its own in the config, a database, and a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ServiceName {
    /// The members service.
    Members,
    /// The ledger service.
    Ledger,
    /// The rewards service.
    Rewards,
    /// The surveys service.
    Surveys,
}

impl ServiceName {
    /// All of them, in the order in which they are started.
    pub const ALL: [Self; 4] = [Self::Members, Self::Ledger, Self::Rewards, Self::Surveys];

    /// As it is called on the command line, in the config and in what is printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Members => "members",
            Self::Ledger => "ledger",
            Self::Rewards => "rewards",
            Self::Surveys => "surveys",
        }
    }

    /// What its database and roles are named after.
    #[must_use]
    pub const fn database(self) -> &'static str {
        match self {
            Self::Members => fealty_members::SERVICE_DATABASE,
            Self::Ledger => fealty_ledger::SERVICE_DATABASE,
            Self::Rewards => fealty_rewards::SERVICE_DATABASE,
            Self::Surveys => fealty_surveys::SERVICE_DATABASE,
        }
    }

    /// What makes its tables.
    #[must_use]
    pub fn migrator(self) -> &'static Migrator {
        match self {
            Self::Members => &fealty_members::MIGRATOR,
            Self::Ledger => &fealty_ledger::MIGRATOR,
            Self::Rewards => &fealty_rewards::MIGRATOR,
            Self::Surveys => &fealty_surveys::MIGRATOR,
        }
    }

    /// What the names of its protos begin with.
    #[must_use]
    pub fn package(self) -> String {
        format!("fealty.{}.", self.as_str())
    }
}

/// One of something for each service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerService<T>([T; ServiceName::ALL.len()]);

impl<T> PerService<T> {
    /// Made one by one.
    pub fn from_fn(make: impl FnMut(ServiceName) -> T) -> Self {
        Self(ServiceName::ALL.map(make))
    }

    /// Each with its service.
    pub fn iter(&self) -> impl Iterator<Item = (ServiceName, &T)> {
        ServiceName::ALL.into_iter().zip(&self.0)
    }

    /// Another one of each.
    pub fn map<U>(self, to: impl FnMut(T) -> U) -> PerService<U> {
        PerService(self.0.map(to))
    }

    /// Each by itself: to be given away.
    pub fn into_array(self) -> [T; ServiceName::ALL.len()] {
        self.0
    }

    /// From one for each, in the order of [`ServiceName::ALL`]; None when there are more or fewer.
    #[must_use]
    pub fn try_from_vec(all: Vec<T>) -> Option<Self> {
        all.try_into().ok().map(Self)
    }
}

impl<T> Index<ServiceName> for PerService<T> {
    type Output = T;

    fn index(&self, service: ServiceName) -> &T {
        &self.0[service as usize]
    }
}

impl<T> IndexMut<ServiceName> for PerService<T> {
    fn index_mut(&mut self, service: ServiceName) -> &mut T {
        &mut self.0[service as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_finds_its_own() {
        let names = PerService::from_fn(ServiceName::as_str);
        for service in ServiceName::ALL {
            assert_eq!(names[service], service.as_str());
            assert_eq!(ServiceName::from_str(service.as_str(), false), Ok(service));
        }
        assert_eq!(PerService::<u8>::try_from_vec(Vec::new()), None);
    }
}
