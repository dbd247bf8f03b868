-- Made by `exporter gen` from the catalog; change the catalog, not this file.
-- Databases of postgres in staging, made with its data.
CREATE DATABASE "layouts";
