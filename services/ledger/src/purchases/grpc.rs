//! `PurchaseService`: parse, call, present.

mod parse;
mod present;

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::purchase_service_server::PurchaseService;
use fealty_rpc::fields;
use fealty_rpc::page::{PageRequest, PageSize};
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::violations::Violations;
use fealty_service::call::{serve, serve_response};
use fealty_types::{OwnerId, PurchaseId};
use tonic::{Request, Response, Status};

use super::domain::PurchasePosition;
use super::{Purchases, Recording, Refunding};
use crate::posting::grpc::respond;
pub(super) use present::{encode_recorded, encode_refunded};

const LIST_PURCHASES: &str = "/fealty.ledger.v1.PurchaseService/ListPurchases";

#[tonic::async_trait]
impl PurchaseService for Purchases {
    async fn record_purchase(
        &self,
        request: Request<pb::RecordPurchaseRequest>,
    ) -> Result<Response<pb::RecordPurchaseResponse>, Status> {
        serve_response(request, async |caller, message| {
            let call = parse::record(&caller, self.clock.now(), &message)?;
            let answer = self
                .posting
                .post_one::<Recording>(caller.program_id()?, call)
                .await?;
            respond(&answer)
        })
        .await
    }

    async fn refund_purchase(
        &self,
        request: Request<pb::RefundPurchaseRequest>,
    ) -> Result<Response<pb::RefundPurchaseResponse>, Status> {
        serve_response(request, async |caller, message| {
            let program = caller.program_id()?;
            let refund = parse::refund(&caller, self.clock.now(), &message)?;
            // A purchase never changes hands, so its owner may be looked up before anything is locked.
            let owner_id = match refund.target {
                parse::Target::Purchase(purchase_id) => self.get(program, purchase_id).await?.owner_id,
                parse::Target::Owner(owner_id) => owner_id,
            };
            let call = refund.of_owner(owner_id);
            let answer = self.posting.post_one::<Refunding>(program, call).await?;
            respond(&answer)
        })
        .await
    }

    async fn get_purchase(
        &self,
        request: Request<pb::GetPurchaseRequest>,
    ) -> Result<Response<pb::GetPurchaseResponse>, Status> {
        serve(request, async |caller, message| {
            let mut v = Violations::default();
            let purchase_id = v.check("purchase_id", fields::parse::<PurchaseId>(&message.purchase_id));
            let purchase_id = v.finish_with(|| purchase_id)?;
            let purchase = self.get(caller.program_id()?, purchase_id).await?;
            Ok(pb::GetPurchaseResponse {
                purchase: Some(present::purchase(&purchase)),
            })
        })
        .await
    }

    async fn list_purchases(
        &self,
        request: Request<pb::ListPurchasesRequest>,
    ) -> Result<Response<pb::ListPurchasesResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let mut v = Violations::default();
            let owner_id = v.check("owner_id", fields::parse::<OwnerId>(&message.owner_id));
            let size = v.check("page_size", PageSize::parse(message.page_size));
            let (owner_id, size) = v.finish_with(|| Some((owner_id?, size?)))?;
            let tokens = PageTokens::try_new(LIST_PURCHASES, Some(program), &owner_id)?;
            let page = PageRequest::<PurchasePosition>::try_new(tokens, size, &message.page_token)?;
            let read = self
                .list(program, owner_id, page.after(), page.count_max())
                .await?;
            let (purchases, next_page_token) = page.cut(read, |last| PurchasePosition::from(last))?;
            Ok(pb::ListPurchasesResponse {
                purchases: purchases.iter().map(present::purchase).collect(),
                next_page_token,
            })
        })
        .await
    }

    async fn summarize_purchases(
        &self,
        request: Request<pb::SummarizePurchasesRequest>,
    ) -> Result<Response<pb::SummarizePurchasesResponse>, Status> {
        serve(request, async |caller, message| {
            let program = *caller.program()?;
            let filter = parse::sums_filter(&message)?;
            let sums = self.summarize(program.program_id, &filter).await?;
            Ok(present::sums(&sums, program.currency)?)
        })
        .await
    }
}
