# shellcheck shell=bash disable=SC2034
# Data for the scripts: generated, and read by lib.sh.
PROJECT=pageforge
ENVIRONMENT=production
COMPOSE_PROJECT=pageforge-production
PROTECTED=true
DOCKER_HOST_OF_ENVIRONMENT=ssh://deploy@pageforge.example.com
VERIFY_SECONDS=180
TAG_DEFAULT=''
STATE_FOLDER_DEFAULT=/var/lib/pageforge/production
BACKUP_FOLDER_DEFAULT=/var/backups/pageforge
SECRETS_FOLDER_DEFAULT=/etc/pageforge/production/secrets
SERVICES=(sys-version-processor form-version-processor layout-backend api-gateway layout-frontend)
SERVICE_LEVELS=(1 1 1 2 2)
AWAITED=(sys-version-processor form-version-processor layout-backend postgres mongodb redis)
JOBS=()
STORES=(postgres mongodb redis)
FILE_STORES=(forms-cache)
BUILT=(sys-version-processor form-version-processor layout-backend api-gateway layout-frontend)
REPLICATED=(api-gateway)
REPLICA_COUNTS=(3)
GATEWAY=gateway
GATEWAY_PROFILE=''
GATEWAY_RESOLVE_SECONDS=5
BACKUP_NAMES=(postgres mongodb redis forms-cache document-storage configuration)
BACKUP_PUBLIC_KEY=./secrets/backup.pub
