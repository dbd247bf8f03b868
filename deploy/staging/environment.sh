# shellcheck shell=bash disable=SC2034
# Data for the scripts: generated, and read by lib.sh.
PROJECT=pageforge
ENVIRONMENT=staging
COMPOSE_PROJECT=pageforge-staging
PROTECTED=false
DOCKER_HOST_OF_ENVIRONMENT=''
VERIFY_SECONDS=120
TAG_DEFAULT=''
STATE_FOLDER_DEFAULT=/var/lib/pageforge/staging
BACKUP_FOLDER_DEFAULT=/var/backups/pageforge
SECRETS_FOLDER_DEFAULT=/etc/pageforge/staging/secrets
SERVICES=(sys-version-processor form-version-processor layout-backend api-gateway layout-frontend)
SERVICE_LEVELS=(1 1 1 2 2)
AWAITED=(sys-version-processor form-version-processor layout-backend postgres mongodb redis)
JOBS=()
STORES=(postgres mongodb redis)
FILE_STORES=(forms-cache)
BUILT=(sys-version-processor form-version-processor layout-backend api-gateway layout-frontend)
REPLICATED=()
REPLICA_COUNTS=()
GATEWAY=gateway
GATEWAY_PROFILE=''
GATEWAY_RESOLVE_SECONDS=5
SECRETS=(jwt_secret_key db_password api_keys pagerduty_key slack_url smtp_password grafana_admin_password)
SECRET_SOURCE=(generate generate file env env env generate)
SECRET_VALUE=(64 32 ./secrets/api_keys.json PAGERDUTY_KEY SLACK_URL SMTP_PASSWORD 32)
SECRET_ROTATE_SECONDS=(7776000 15552000 '' '' '' '' '')
SECRET_USED_BY=(api-gateway 'form-version-processor
layout-backend
postgres' api-gateway alertmanager alertmanager alertmanager grafana)
SECRETS_OWNER_DEFAULT=:65532
BACKUP_NAMES=(postgres mongodb redis forms-cache document-storage configuration)
BACKUP_PUBLIC_KEY=./secrets/backup.pub
