//! One line per rpc: the typed clients are lists of these.

/// A response that may show an owner's balances, or owners. Most show none.
pub(crate) trait Shows {
    /// The balances that it shows.
    fn balance(&self) -> Option<&fealty_proto::ledger::v1::OwnerBalance> {
        None
    }

    /// All of them, where it shows many.
    fn balances(&self) -> Vec<&fealty_proto::ledger::v1::OwnerBalance> {
        self.balance().into_iter().collect()
    }

    /// What it shows was recorded of others than those whose balances it shows.
    fn transactions(&self) -> Vec<&fealty_proto::ledger::v1::Transaction> {
        Vec::new()
    }

    /// The owners that it shows, as a change of their accounts left them.
    fn owners(&self) -> Vec<&fealty_proto::ledger::v1::Owner> {
        Vec::new()
    }
}

/// Writes the methods of a client. `name: read Request => Response` for what only reads, or names by itself what it changes,
/// `name: write Request => Response` for what carries a `request_id`, and `name: posting Request => Response` for what
/// names an owner besides, whose account the response shows.
macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident($path:literal): $kind:ident $request:ident => $response:ident;)*) => {
        $(
            $(#[$doc])*
            pub async fn $name(&self, request: $request) -> Result<Answer<$response>, CallError> {
                methods!(@$kind self, request, $path)
            }
        )*
    };
    (@read $self:ident, $request:ident, $path:literal) => {
        $self.caller.unary($path, $request).await
    };
    (@write $self:ident, $request:ident, $path:literal) => {{
        let mut request = $request;
        $self.caller.name_attempt(&mut request.request_id);
        $self.caller.unary($path, request).await
    }};
    (@posting $self:ident, $request:ident, $path:literal) => {{
        let mut request = $request;
        $self.caller.name_attempt(&mut request.request_id);
        let owner_id = request.owner_id.clone();
        $self.caller.unary_about($path, request, &owner_id).await
    }};
}

pub(crate) use methods;
