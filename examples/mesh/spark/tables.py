"""The tables of the lake: columns, comments and partitions. A table belongs to the domain that its schema is named after."""

from __future__ import annotations

TABLES = {
    "customers.customers": """
        customer_id STRING, full_name STRING, email STRING COMMENT 'PII: address for receipts and campaigns',
        phone_number STRING COMMENT 'PII', country STRING, marketing_consent BOOLEAN, created_at TIMESTAMP""",
    "customers.customer_profiles": """
        customer_id STRING, email_hash STRING COMMENT 'sha256 of the address in lower case', country STRING, customer_segment STRING""",
    "products.products": "product_id STRING, product_name STRING, category STRING, list_price DECIMAL(12,2)",
    "products.product_sales": """
        product_id STRING, product_name STRING, category STRING, units_sold BIGINT, revenue DECIMAL(22,2), buyers BIGINT""",
    "payments.payment_confirmed": """
        payment_id STRING, order_id STRING, amount DECIMAL(18,2), currency STRING, method STRING, confirmed_at TIMESTAMP""",
    "payments.receipts": """
        payment_id STRING, order_id STRING, receipt_email STRING COMMENT 'PII', amount DECIMAL(18,2), currency STRING,
        issued_at TIMESTAMP""",
    "payments.fraud_signals": "order_id STRING, score DOUBLE, reason STRING",
    "orders.orders": """
        order_id STRING, customer_id STRING, status STRING, currency STRING, shipping_address STRING COMMENT 'PII', created_at TIMESTAMP""",
    "orders.order_items": "order_id STRING, product_id STRING, quantity INT, unit_price DECIMAL(12,2)",
    # contact_email is renamed to customer_email before the second night.
    "orders.customer_orders": """
        order_id STRING, customer_id STRING, contact_email STRING COMMENT 'PII', total_amount DECIMAL(18,2), currency STRING, status STRING,
        payment_method STRING, shipping_address STRING COMMENT 'PII', created_at TIMESTAMP""",
    "marketing.campaigns": "campaign_id STRING, campaign_name STRING, segment STRING",
    "marketing.campaign_audience": """
        campaign_id STRING, customer_id STRING, email STRING COMMENT 'PII', first_name STRING, customer_segment STRING""",
    "marketing.campaign_results": "campaign_id STRING, recipients BIGINT, orders BIGINT, attributed_revenue DECIMAL(22,2)",
}

PARTITIONS = {"orders.orders": "days(created_at)", "orders.customer_orders": "days(created_at)"}

# What lands: files of JSON lines, one folder each.
LANDED = {
    "crm/contacts": """
        customer_id string, full_name string, email string, phone_number string, country string, marketing_consent boolean,
        created_at timestamp""",
    "pim/products": "product_id string, product_name string, category string, list_price decimal(12,2)",
    "psp/payment_confirmed": """
        payment_id string, order_id string, amount decimal(18,2), currency string, method string, confirmed_at timestamp""",
    "shop/orders": "order_id string, customer_id string, status string, currency string, shipping_address string, created_at timestamp",
    "shop/order_items": "order_id string, product_id string, quantity int, unit_price decimal(12,2)",
    "marketing/campaigns": "campaign_id string, campaign_name string, segment string",
}
