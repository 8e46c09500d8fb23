"""What policies can be about, one file for each kind."""

from meshline.governance.policies.subjects import bypass, change, column, consumption, contract, copy, dataset, exposure, product, promise
from meshline.governance.policies.subjects.shape import Subject

SUBJECTS: dict[str, Subject] = {
    one.kind: one
    for one in (
        product.SUBJECT,
        contract.SUBJECT,
        promise.SUBJECT,
        consumption.SUBJECT,
        exposure.SUBJECT,
        column.SUBJECT,
        dataset.SUBJECT,
        copy.SUBJECT,
        bypass.SUBJECT,
        change.SUBJECT,
    )
}
