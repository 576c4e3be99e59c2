//! `TransactionService`: parse, call, present.

mod list_transactions;
mod points;
mod presenter;

pub use presenter::present;
pub(super) use presenter::present_posted;

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::transaction_service_server::TransactionService;
use fealty_rpc::access::Caller;
use fealty_rpc::fields;
use fealty_rpc::violations::Violations;
use fealty_types::TransactionId;
use tonic::{Request, Response, Status};

use super::Transactions;
use crate::posting::grpc::respond;

#[tonic::async_trait]
impl TransactionService for Transactions {
    async fn credit_points(
        &self,
        request: Request<pb::CreditPointsRequest>,
    ) -> Result<Response<pb::CreditPointsResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let call = points::parse_credit(caller, request.get_ref(), self.clock.now())?;
        respond(&self.post(caller.program_id()?, call).await?)
    }

    async fn spend_points(
        &self,
        request: Request<pb::SpendPointsRequest>,
    ) -> Result<Response<pb::SpendPointsResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let call = points::parse_spend(caller, request.get_ref(), self.clock.now())?;
        respond(&self.post(caller.program_id()?, call).await?)
    }

    async fn get_transaction(
        &self,
        request: Request<pb::GetTransactionRequest>,
    ) -> Result<Response<pb::GetTransactionResponse>, Status> {
        let program = Caller::from_request(&request)?.program_id()?;
        let mut v = Violations::default();
        let id = v.check(
            "transaction_id",
            fields::parse::<TransactionId>(&request.get_ref().transaction_id),
        );
        let id = v.finish_with(|| id)?;
        let transaction = self.get(program, id).await?;
        Ok(Response::new(pb::GetTransactionResponse {
            transaction: Some(present(&transaction)),
        }))
    }

    async fn list_transactions(
        &self,
        request: Request<pb::ListTransactionsRequest>,
    ) -> Result<Response<pb::ListTransactionsResponse>, Status> {
        let program = Caller::from_request(&request)?.program_id()?;
        let page = list_transactions::parse(program, request.get_ref())?;
        let read = self.list(program, &page.asked).await?;
        Ok(Response::new(page.present(read)?))
    }
}
