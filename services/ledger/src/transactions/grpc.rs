//! `TransactionService`: parse, call, present.

mod activate_points;
mod batch_post_points;
mod list_lot_movements;
mod list_transactions;
mod points;
mod presenter;
mod reverse_transaction;
mod transfer_points;

pub(crate) use points::parse_amount;
pub use presenter::present;
pub(super) use presenter::{present_activated, present_posted, present_transferred};
pub(super) use reverse_transaction::encode_reversed;

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::transaction_service_server::TransactionService;
use fealty_rpc::fields;
use fealty_rpc::violations::Violations;
use fealty_service::call::{serve, serve_response};
use fealty_types::TransactionId;
use tonic::{Request, Response, Status};

use super::Transactions;
use super::domain::Direction;
use crate::posting::grpc::respond;
use points::Parsing;

#[tonic::async_trait]
impl TransactionService for Transactions {
    async fn credit_points(
        &self,
        request: Request<pb::CreditPointsRequest>,
    ) -> Result<Response<pb::CreditPointsResponse>, Status> {
        serve_response(request, async |caller, message| {
            let mut v = Violations::default();
            let call = Parsing::try_new(&caller, self.clock.now())?.credit(&mut v, &message);
            let call = v.finish_with(|| call)?;
            respond(&self.post(caller.program_id()?, call).await?)
        })
        .await
    }

    async fn spend_points(
        &self,
        request: Request<pb::SpendPointsRequest>,
    ) -> Result<Response<pb::SpendPointsResponse>, Status> {
        serve_response(request, async |caller, message| {
            let mut v = Violations::default();
            let call = Parsing::try_new(&caller, self.clock.now())?.spend(&mut v, &message);
            let call = v.finish_with(|| call)?;
            respond(&self.post(caller.program_id()?, call).await?)
        })
        .await
    }

    async fn activate_points(
        &self,
        request: Request<pb::ActivatePointsRequest>,
    ) -> Result<Response<pb::ActivatePointsResponse>, Status> {
        serve_response(request, async |caller, message| {
            let program = caller.program_id()?;
            let activation = activate_points::parse(&caller, &message)?;
            let credited_by = activation.work.credited_by;
            let answer = self.activate(program, credited_by, |holder| activation.of(holder));
            respond(&answer.await?)
        })
        .await
    }

    async fn adjust_points(
        &self,
        request: Request<pb::AdjustPointsRequest>,
    ) -> Result<Response<pb::AdjustPointsResponse>, Status> {
        serve_response(request, async |caller, message| {
            let mut v = Violations::default();
            let call = Parsing::try_new(&caller, self.clock.now())?.adjust(&mut v, &message);
            let call = v.finish_with(|| call)?;
            respond(&self.post(caller.program_id()?, call).await?)
        })
        .await
    }

    async fn transfer_points(
        &self,
        request: Request<pb::TransferPointsRequest>,
    ) -> Result<Response<pb::TransferPointsResponse>, Status> {
        serve_response(request, async |caller, message| {
            let mut v = Violations::default();
            let call = Parsing::try_new(&caller, self.clock.now())?.transfer(&mut v, &message);
            let call = v.finish_with(|| call)?;
            respond(&self.transfer(caller.program_id()?, call).await?)
        })
        .await
    }

    async fn batch_post_points(
        &self,
        request: Request<pb::BatchPostPointsRequest>,
    ) -> Result<Response<pb::BatchPostPointsResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let parsing = Parsing::try_new(&caller, self.clock.now())?;
            batch_post_points::require_scopes(&caller, &message)?;
            let calls = batch_post_points::parse(parsing, &message)?;
            let directions: Vec<Direction> = calls.iter().map(|call| call.work.direction()).collect();
            let outcomes = if message.all_or_nothing {
                batch_post_points::present_group(&directions, self.post_group(program, calls).await?)
            } else {
                batch_post_points::present(&directions, self.post_many(program, calls).await)
            };
            Ok(pb::BatchPostPointsResponse { outcomes })
        })
        .await
    }

    async fn reverse_transaction(
        &self,
        request: Request<pb::ReverseTransactionRequest>,
    ) -> Result<Response<pb::ReverseTransactionResponse>, Status> {
        serve_response(request, async |caller, message| {
            let program = caller.program_id()?;
            let reversal = reverse_transaction::parse(&caller, self.clock.now(), &message)?;
            // It is recorded for ever whose account it was, so that may be looked up before anything is locked. The lock of
            // that owner is what keeps others from taking back the same, whoever's account they use by then.
            let reversed = self.get(program, reversal.work.transaction_id).await?;
            let call = reversal.of(&reversed);
            respond(&self.reverse(program, &reversed, call).await?)
        })
        .await
    }

    async fn get_transaction(
        &self,
        request: Request<pb::GetTransactionRequest>,
    ) -> Result<Response<pb::GetTransactionResponse>, Status> {
        serve(request, async |caller, message| {
            let mut v = Violations::default();
            let id = v.check(
                "transaction_id",
                fields::parse::<TransactionId>(&message.transaction_id),
            );
            let id = v.finish_with(|| id)?;
            let transaction = self.get(caller.program_id()?, id).await?;
            Ok(pb::GetTransactionResponse {
                transaction: Some(present(&transaction)),
            })
        })
        .await
    }

    async fn list_transactions(
        &self,
        request: Request<pb::ListTransactionsRequest>,
    ) -> Result<Response<pb::ListTransactionsResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let page = list_transactions::parse(program, &message)?;
            let read = self.list(program, &page.asked).await?;
            page.present(&read)
        })
        .await
    }

    async fn list_lot_movements(
        &self,
        request: Request<pb::ListLotMovementsRequest>,
    ) -> Result<Response<pb::ListLotMovementsResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let page = list_lot_movements::parse(program, &message)?;
            let read = self.list_lot_movements(program, &page.asked).await?;
            page.present(read)
        })
        .await
    }
}
