# shellcheck shell=bash disable=SC2034
# Data for the scripts: generated, and read by lib.sh.
PROJECT=pageforge
ENVIRONMENT=development
COMPOSE_PROJECT=pageforge-development
PROTECTED=false
DOCKER_HOST_OF_ENVIRONMENT=''
VERIFY_SECONDS=120
TAG_DEFAULT=''
STATE_FOLDER_DEFAULT=/var/lib/pageforge/development
BACKUP_FOLDER_DEFAULT=/var/backups/pageforge
SECRETS_FOLDER_DEFAULT=/etc/pageforge/development/secrets
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
BACKUP_KINDS=(store store store store volume configuration)
BACKUP_ENGINES=(postgresql mongodb redis sqlite '' '')
BACKUP_SERVICES=(postgres mongodb redis form-version-processor '' '')
BACKUP_USERS=(postgres '' '' '' '' '')
BACKUP_PASSWORD_SECRETS=(db_password '' '' '' '' '')
BACKUP_DATABASES=('forms
layouts' pageforge '' '' '' '')
BACKUP_PATHS=('' '' '' /app/data/forms.db '' '')
BACKUP_VOLUMES=(postgres-data mongodb-data redis-data forms-data document-storage '')
BACKUP_KEEP=(14 14 24 14 14 24)
S3_BUCKET=pageforge-backups
S3_PREFIX=''
S3_REGION=''
S3_ENDPOINT=''
S3_ACCESS_KEY_SECRET=''
S3_SECRET_KEY_SECRET=''
ENCRYPT_TOOL=age
ENCRYPT_RECIPIENT_FILE=./secrets/backup.pub
CONFIGURATION=(config.yaml deploy)
