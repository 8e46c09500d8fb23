"""Contracts written for the tests, in each dialect."""

from __future__ import annotations

SPECIFICATION = """\
dataContractSpecification: 1.1.0
id: orders-latest
info:
  title: Orders Latest
  version: 1.10.0
  status: active
  description: Successful customer orders in the webshop.
  owner: checkout@example.com
  contact: {name: Checkout Team, email: checkout@example.com}
servers:
  production:
    type: snowflake
    environment: prod
    account: acme-eu
    database: SHOP
    schema: ORDERS
    roles:
      - {name: analyst_us, description: Access for analysts in the US}
  development:
    type: s3
    location: s3://acme-dev/data/{model}/*.json
    format: json
terms:
  usage: Reporting.
  limitations: Not for real-time use.
  policies:
    - {type: privacy-policy, url: https://example.com/privacy}
  billing: 5000 USD per month
  noticePeriod: P3M
models:
  orders:
    type: table
    description: One record for each order.
    primaryKey: [order_id]
    fields:
      order_id:
        $ref: '#/definitions/order_id'
        required: true
        unique: true
      order_total:
        type: decimal
        precision: 18
        scale: 2
        minimum: 0
        exclusiveMaximum: 1000000
        description: In cents.
      customer_email:
        type: string
        format: email
        minLength: 3
        pii: true
        classification: sensitive
        quality:
          - {type: sql, description: some, query: select 1, mustBeGreaterThanOrEqualTo: 5}
      state:
        type: string
        enum: [new, paid, 3]
        references: states.code
      address:
        type: object
        fields:
          city: {type: string, tags: [geo]}
      lines:
        type: array
        items:
          type: object
          fields:
            sku: {$ref: '#/definitions/sku'}
      prices:
        type: map
        keys: {type: string}
        values: {type: decimal}
    quality:
      - {type: custom, engine: soda, implementation: {type: duplicate_count}}
definitions:
  order_id: {type: string, title: Order ID, pattern: '^[a-z]+$', required: false}
  sku: {$ref: '#/definitions/code', title: SKU}
  code: {type: string, title: Code}
servicelevels:
  availability: {description: Mostly, percentage: 99.9}
  retention: {period: 1 year}
  latency: {threshold: 25h, sourceTimestampField: orders.at}
  freshness: {threshold: 25h, timestampField: orders.at}
  frequency: {type: batch, interval: daily, cron: 0 0 * * *}
  support: {time: 9am to 5pm, responseTime: 1h}
  backup: {interval: weekly, recoveryTime: 24 hours, recoveryPoint: 1 week}
links:
  datacontractCli: https://example.com/cli
tags: [checkout]
"""

STANDARD = """\
apiVersion: v3.0.2
kind: DataContract
id: payments
name: Payments
version: "2.0"
status: active
domain: finance
dataProduct: payments
tenant: acme
tags: [money]
description:
  purpose: What was paid.
  usage: Closing the books.
  limitations: Not before noon.
  authoritativeDefinitions:
    - {type: privacy, url: https://example.com/gdpr}
servers:
  - server: warehouse
    type: postgres
    host: db.example.com
    port: 5432
    database: money
    schema: public
    password: hunter2
    roles: [{role: reader, access: read}]
schema:
  - id: payments_tbl
    name: payments
    physicalName: payment_v2
    physicalType: table
    businessName: Payments
    tags: [core]
    quality:
      - {rule: rowCount, mustBeGreaterThan: 1000, dimension: completeness, severity: error}
    properties:
      - id: amount_col
        name: amount
        physicalName: amt
        logicalType: number
        physicalType: numeric(18, 2)
        logicalTypeOptions: {minimum: 0, exclusiveMaximum: 1000000}
        required: true
        primaryKey: false
      - name: client
        logicalType: object
        properties:
          - {name: iban, logicalType: string, classification: pii, logicalTypeOptions: {minLength: 15, pattern: '^[A-Z]{2}'}}
          - {name: birth, physicalName: born, logicalType: date, customProperties: [{property: isPii, value: true}]}
      - name: state
        logicalType: string
        quality:
          - {rule: invalidValues, mustBe: 0, arguments: {validValues: [open, done]}}
      - name: notes
        logicalType: array
        items: {logicalType: string}
        relationships: [{to: notes.id}]
price: {priceAmount: 9.95, priceCurrency: USD, priceUnit: megabyte}
support:
  - {channel: "#money", tool: slack, url: "https://slack.example.com/money"}
team:
  - {username: ana@example.com, name: Ana, role: Business Owner}
  - {username: bo@example.com, role: Data Steward}
  - {username: old@example.com, role: Owner, dateOut: "2022-10-01"}
  - {username: dev@example.com, role: Engineer}
roles:
  - {role: closers, access: read, firstLevelApprovers: Boss, secondLevelApprovers: Big Boss}
slaDefaultElement: payments.at
slaProperties:
  - {property: latency, value: 4, unit: d}
  - {property: timeOfAvailability, value: "09:00-08:00", element: payments.day, driver: regulatory}
  - {property: availability, value: 99.9, unit: "%"}
customProperties:
  - {property: consumer, value: [closing@example.com]}
"""
