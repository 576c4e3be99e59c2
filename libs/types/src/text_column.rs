//! Text columns of codes and rates: a row that holds something else is a fault, not a value.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

use crate::{BudgetCode, CurrencyCode, Rate, UnitCode};

macro_rules! text_column {
    ($name:ty) => {
        impl Type<Postgres> for $name {
            fn type_info() -> PgTypeInfo {
                <str as Type<Postgres>>::type_info()
            }

            fn compatible(ty: &PgTypeInfo) -> bool {
                <str as Type<Postgres>>::compatible(ty)
            }
        }

        impl PgHasArrayType for $name {
            fn array_type_info() -> PgTypeInfo {
                <&str as PgHasArrayType>::array_type_info()
            }
        }

        impl Encode<'_, Postgres> for $name {
            fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
                <String as Encode<'_, Postgres>>::encode_by_ref(&self.to_string(), buffer)
            }
        }

        impl<'r> Decode<'r, Postgres> for $name {
            fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
                Ok(<&str as Decode<'r, Postgres>>::decode(value)?.parse()?)
            }
        }
    };
}

text_column!(CurrencyCode);
text_column!(UnitCode);
text_column!(BudgetCode);
text_column!(Rate);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemberId, Points, RequestId, Version};

    /// What a statement that binds arrays and reads rows asks of a type.
    fn name_as_column<T>() -> (String, String)
    where
        T: Type<Postgres> + PgHasArrayType + for<'q> Encode<'q, Postgres> + for<'r> Decode<'r, Postgres>,
    {
        (T::type_info().to_string(), T::array_type_info().to_string())
    }

    #[test]
    fn each_type_is_a_column_of_its_plain_type_alone_and_in_arrays() {
        let columns = [name_as_column::<MemberId>(), name_as_column::<RequestId>()];
        assert_eq!(
            columns,
            [("UUID".into(), "UUID[]".into()), ("UUID".into(), "UUID[]".into())]
        );

        let columns = [name_as_column::<Points>(), name_as_column::<Version>()];
        assert_eq!(
            columns,
            [("INT8".into(), "INT8[]".into()), ("INT8".into(), "INT8[]".into())]
        );

        for column in [
            name_as_column::<CurrencyCode>(),
            name_as_column::<UnitCode>(),
            name_as_column::<BudgetCode>(),
            name_as_column::<Rate>(),
        ] {
            assert_eq!(column, ("TEXT".into(), "TEXT[]".into()));
        }
    }

    #[test]
    fn a_code_is_sent_as_its_text() {
        let mut buffer = PgArgumentBuffer::default();
        let code: CurrencyCode = "GBP".parse().unwrap();
        assert!(matches!(
            Encode::<Postgres>::encode_by_ref(&code, &mut buffer),
            Ok(IsNull::No)
        ));
        assert_eq!(&buffer[..], b"GBP");
    }
}
