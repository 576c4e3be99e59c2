//! `PurchaseService`: parse, call, present.

mod parse;
mod present;

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::purchase_service_server::PurchaseService;
use fealty_rpc::access::Caller;
use fealty_rpc::fields;
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::violations::Violations;
use fealty_types::{OwnerId, PurchaseId};
use tonic::{Request, Response, Status};

use super::{Purchases, Recording, Refunding};
use crate::messages::{into_page, page_size, read_count};
use crate::posting::grpc::respond;
pub(super) use present::{encode_recorded, encode_refunded};

const LIST_PURCHASES: &str = "/fealty.ledger.v1.PurchaseService/ListPurchases";

#[tonic::async_trait]
impl PurchaseService for Purchases {
    async fn record_purchase(
        &self,
        request: Request<pb::RecordPurchaseRequest>,
    ) -> Result<Response<pb::RecordPurchaseResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let call = parse::record(caller, self.clock.now(), request.get_ref())?;
        let answer = self
            .posting
            .post_one::<Recording>(caller.program_id()?, call)
            .await?;
        respond(&answer)
    }

    async fn refund_purchase(
        &self,
        request: Request<pb::RefundPurchaseRequest>,
    ) -> Result<Response<pb::RefundPurchaseResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let program = caller.program_id()?;
        let refund = parse::refund(caller, self.clock.now(), request.get_ref())?;
        // A purchase never changes hands, so its owner may be looked up before anything is locked.
        let owner_id = match refund.target {
            parse::Target::Purchase(purchase_id) => self.get(program, purchase_id).await?.owner_id,
            parse::Target::Owner(owner_id) => owner_id,
        };
        let call = refund.of_owner(owner_id);
        let answer = self.posting.post_one::<Refunding>(program, call).await?;
        respond(&answer)
    }

    async fn get_purchase(
        &self,
        request: Request<pb::GetPurchaseRequest>,
    ) -> Result<Response<pb::GetPurchaseResponse>, Status> {
        let program = Caller::from_request(&request)?.program_id()?;
        let mut v = Violations::default();
        let text = &request.get_ref().purchase_id;
        let purchase_id = v.check("purchase_id", fields::parse::<PurchaseId>(text));
        let purchase = self.get(program, v.finish_with(|| purchase_id)?).await?;
        Ok(Response::new(pb::GetPurchaseResponse {
            purchase: Some(present::purchase(&purchase)),
        }))
    }

    async fn list_purchases(
        &self,
        request: Request<pb::ListPurchasesRequest>,
    ) -> Result<Response<pb::ListPurchasesResponse>, Status> {
        let program = Caller::from_request(&request)?.program_id()?;
        let message = request.get_ref();
        let mut v = Violations::default();
        let owner_id = v.check("owner_id", fields::parse::<OwnerId>(&message.owner_id));
        let size = v.check("page_size", page_size(message.page_size));
        let (owner_id, size) = v.finish_with(|| Some((owner_id?, size?)))?;
        let tokens = PageTokens::try_new(LIST_PURCHASES, Some(program), &owner_id)?;
        let before: Option<i64> = tokens.cursor(&message.page_token)?;
        let read = self.list(program, owner_id, before, read_count(size)).await?;
        let (purchases, next_page_token) = into_page(read, size, &tokens, |last| last.version.get())?;
        Ok(Response::new(pb::ListPurchasesResponse {
            purchases: purchases.iter().map(present::purchase).collect(),
            next_page_token,
        }))
    }

    async fn summarize_purchases(
        &self,
        request: Request<pb::SummarizePurchasesRequest>,
    ) -> Result<Response<pb::SummarizePurchasesResponse>, Status> {
        let program = *Caller::from_request(&request)?.program()?;
        let filter = parse::sums_filter(request.get_ref())?;
        let sums = self.summarize(program.program_id, &filter).await?;
        Ok(Response::new(present::sums(&sums, program.currency)?))
    }
}
