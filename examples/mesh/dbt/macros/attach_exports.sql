{# The lake's exports as views of schema `lake`, which models read as sources. -#}
{% macro attach_exports() %}
{% set exports = env_var('MESH_WAREHOUSE') ~ '/exports/finance' %}
create schema if not exists lake;
create or replace view lake.customer_orders as
  select * from read_parquet('{{ exports }}/customer_orders/dt={{ env_var("MESH_NIGHT") }}/*.parquet', hive_partitioning = false);
create or replace view lake.payment_confirmed as
  select distinct * from read_parquet('{{ exports }}/payment_confirmed/snapshot-*/*.parquet');
{% endmacro %}
