//! What the protos say about each method.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, ExtensionDescriptor, Kind, MethodDescriptor, Value};

use crate::FILE_DESCRIPTOR_SET;
use crate::access::v1::Scope;

/// What the protos say about a method, above all who may call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says one thing of its own, as in the protos"
)]
pub struct Method {
    /// The scope that a caller's key must carry. `None` when the proto names none, or one that does not exist: such a
    /// method must not be served.
    pub scope: Option<Scope>,
    /// It speaks about the whole suite: only keys that are bound to no program may call it, and need not name one.
    pub suite_wide: bool,
    /// A key that is bound to no program need not name one: the call is then about all of them.
    pub program_optional: bool,
    /// Whether it takes member tokens.
    pub member_access: MemberAccess,
    /// The caller sends a stream of messages.
    pub client_streaming: bool,
    /// The service answers with a stream of messages.
    pub server_streaming: bool,
}

/// Whether a method takes member tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberAccess {
    /// No.
    Denied,
    /// Yes: it speaks about nobody.
    Open,
    /// Yes, about the token's member alone: the number of the request's field, a string, that says whom it is about.
    Own(u32),
}

/// Every method of every service, by its gRPC path ("/fealty.members.v1.MemberService/GetMember").
#[must_use]
pub fn methods() -> &'static BTreeMap<String, Method> {
    static METHODS: LazyLock<BTreeMap<String, Method>> = LazyLock::new(read_methods);
    &METHODS
}

/// The method of a gRPC path, if the protos have it.
#[must_use]
pub fn method(path: &str) -> Option<&'static Method> {
    methods().get(path)
}

/// The options of `fealty/access/v1/options.proto`.
struct AccessOptions {
    scope: ExtensionDescriptor,
    suite_wide: ExtensionDescriptor,
    program_optional: ExtensionDescriptor,
    member_field: ExtensionDescriptor,
    member_open: ExtensionDescriptor,
}

impl AccessOptions {
    fn of(pool: &DescriptorPool) -> Self {
        let extension = |name: &str| {
            pool.get_extension_by_name(name)
                .expect("options.proto defines it")
        };
        Self {
            scope: extension("fealty.access.v1.scope"),
            suite_wide: extension("fealty.access.v1.suite_wide"),
            program_optional: extension("fealty.access.v1.program_optional"),
            member_field: extension("fealty.access.v1.member_field"),
            member_open: extension("fealty.access.v1.member_open"),
        }
    }

    fn read(&self, descriptor: &MethodDescriptor) -> Method {
        let options = descriptor.options();
        let says = |extension| matches!(*options.get_extension(extension), Value::Bool(true));
        let scope = options.get_extension(&self.scope).as_enum_number();
        Method {
            scope: scope
                .and_then(|number| Scope::try_from(number).ok())
                .filter(|scope| *scope != Scope::Unspecified),
            suite_wide: says(&self.suite_wide),
            program_optional: says(&self.program_optional),
            member_access: self.member_access(descriptor),
            client_streaming: descriptor.is_client_streaming(),
            server_streaming: descriptor.is_server_streaming(),
        }
    }
}

impl AccessOptions {
    /// A field that is not there, or is no string, or of a stream, denies: nobody could hold anybody to it.
    fn member_access(&self, descriptor: &MethodDescriptor) -> MemberAccess {
        let options = descriptor.options();
        let named = options.get_extension(&self.member_field);
        let field = named.as_str().filter(|name| !name.is_empty());
        let is_open = matches!(*options.get_extension(&self.member_open), Value::Bool(true));
        match field {
            _ if descriptor.is_client_streaming() => MemberAccess::Denied,
            None if is_open => MemberAccess::Open,
            None => MemberAccess::Denied,
            Some(name) => descriptor
                .input()
                .get_field_by_name(name)
                .filter(|field| field.kind() == Kind::String && !field.is_list())
                .map_or(MemberAccess::Denied, |field| MemberAccess::Own(field.number())),
        }
    }
}

fn read_methods() -> BTreeMap<String, Method> {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the checked-in descriptor set is sound");
    let options = AccessOptions::of(&pool);
    pool.services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .map(|descriptor| (path_of(&descriptor), options.read(&descriptor)))
        .collect()
}

fn path_of(descriptor: &MethodDescriptor) -> String {
    format!(
        "/{}/{}",
        descriptor.parent_service().full_name(),
        descriptor.name()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_knows_its_scope() {
        let method = method("/fealty.members.v1.MemberService/GetMember").unwrap();
        assert_eq!(method.scope, Some(Scope::MembersRead));
        assert!(!method.suite_wide && !method.client_streaming && !method.server_streaming);
    }

    #[test]
    fn a_suite_wide_method_says_so() {
        let method = method("/fealty.access.v1.AccessFeedService/ListAccessChanges").unwrap();
        assert_eq!(method.scope, Some(Scope::AccessFeed));
        assert!(method.suite_wide && !method.program_optional);
    }

    #[test]
    fn a_stream_of_events_may_be_of_all_programs() {
        let method = method("/fealty.events.v1.EventService/WatchEvents").unwrap();
        assert_eq!(method.scope, Some(Scope::EventsRead));
        assert!(method.program_optional && !method.suite_wide && method.server_streaming);
    }

    #[test]
    fn a_method_knows_whether_it_takes_member_tokens() {
        let access = |path| method(path).unwrap().member_access;
        assert_eq!(
            access("/fealty.ledger.v1.BalanceService/GetBalance"),
            MemberAccess::Own(1)
        );
        assert_eq!(
            access("/fealty.rewards.v1.RewardService/ListRewards"),
            MemberAccess::Open
        );
        assert_eq!(
            access("/fealty.members.v1.MemberService/EnrolMember"),
            MemberAccess::Denied
        );
    }

    #[test]
    fn every_option_about_member_tokens_says_something() {
        let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
        let options = AccessOptions::of(&pool);
        for method in pool
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
        {
            let said = method.options();
            let has_field = said.has_extension(&options.member_field);
            let has_open = said.has_extension(&options.member_open);
            assert!(!(has_field && has_open), "{}", method.full_name());
            let denied = options.member_access(&method) == MemberAccess::Denied;
            assert_eq!(denied, !has_field && !has_open, "{}", method.full_name());
        }
    }

    #[test]
    fn an_unknown_path_is_no_method() {
        for path in [
            "",
            "/",
            "/fealty.members.v1.MemberService/",
            "fealty.members.v1.MemberService/GetMember",
        ] {
            assert_eq!(method(path), None, "{path:?}");
        }
    }
}
