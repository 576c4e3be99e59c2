//! What the protos say about each method.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, ExtensionDescriptor, MethodDescriptor, Value};

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
    /// The caller sends a stream of messages.
    pub client_streaming: bool,
    /// The service answers with a stream of messages.
    pub server_streaming: bool,
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
            client_streaming: descriptor.is_client_streaming(),
            server_streaming: descriptor.is_server_streaming(),
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
